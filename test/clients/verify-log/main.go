// Command verify-log follows the log of a tenant as any client of C2SP logs would: by golang.org/x/mod/sumdb alone.
//
//	verify-log <base URL> <API key> <rounds>
//
// In each round it takes a checkpoint, verifies its signature, that its tree holds all of the one before, and that entries
// and proofs of events are in it. It prints the size of each tree, one a line.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

// recordsPerRound is how many entries are proven by the tiles, and how many events by their own proofs.
const recordsPerRound = 5

type client struct {
	base, key string
	verifiers note.Verifiers
	origin    string
}

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(base, key, count string) error {
	rounds, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	c := &client{base: base, key: key}
	if err := c.readKeys(); err != nil {
		return err
	}
	var last tlog.Tree
	for range rounds {
		if last, err = c.follow(last); err != nil {
			return err
		}
		fmt.Println(last.N)
	}
	return nil
}

func (c *client) get(path string) ([]byte, error) {
	request, err := http.NewRequest("GET", c.base+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != 200 {
		err = fmt.Errorf("GET %s: %s %s", path, response.Status, body)
	}
	return body, err
}

func (c *client) readKeys() error {
	keys, err := c.get("/v1/log/key")
	if err != nil {
		return err
	}
	var verifiers []note.Verifier
	for line := range strings.Lines(string(keys)) {
		verifier, err := note.NewVerifier(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return err
		}
		verifiers = append(verifiers, verifier)
	}
	c.verifiers = note.VerifierList(verifiers...)
	c.origin = verifiers[0].Name()
	return nil
}

// open verifies a checkpoint.
func (c *client) open(signed []byte) (tlog.Tree, error) {
	opened, err := note.Open(signed, c.verifiers)
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != c.origin {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s: %q", c.origin, opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// follow takes the next checkpoint and checks it against the one before.
func (c *client) follow(last tlog.Tree) (tlog.Tree, error) {
	signed, err := c.get("/v1/log/checkpoint")
	if err != nil {
		return last, err
	}
	tree, err := c.open(signed)
	if err != nil {
		return last, err
	}
	hashes := tlog.TileHashReader(tree, c)
	if last.N > 0 {
		proof, err := tlog.ProveTree(tree.N, last.N, hashes)
		if err != nil {
			return last, err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, last.N, last.Hash); err != nil {
			return last, err
		}
	}
	for range recordsPerRound {
		if err := c.checkEntry(tree, hashes, rand.Int63n(tree.N)); err != nil {
			return last, err
		}
	}
	return tree, c.checkEvents()
}

// checkEntry holds that an entry of a bundle is in the tree.
func (c *client) checkEntry(tree tlog.Tree, hashes tlog.HashReader, n int64) error {
	bundle := tlog.Tile{H: tileHeight, L: -1, N: n >> tileHeight, W: 1 << tileHeight}
	if rest := tree.N - bundle.N<<tileHeight; rest < 1<<tileHeight {
		bundle.W = int(rest)
	}
	data, err := c.get(pathOf(bundle))
	if err != nil {
		return err
	}
	const entry = 2 + 32
	if len(data) != bundle.W*entry {
		return fmt.Errorf("%s has %d bytes", bundle.Path(), len(data))
	}
	at := int(n&(1<<tileHeight-1)) * entry
	if !bytes.Equal(data[at:at+2], []byte{0, 32}) {
		return fmt.Errorf("%s: the length of entry %d is not 32", bundle.Path(), n)
	}
	proof, err := tlog.ProveRecord(tree.N, n, hashes)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, n, tlog.RecordHash(data[at+2:at+entry]))
}

// checkEvents holds that the newest events are proven by their own proofs.
func (c *client) checkEvents() error {
	page, err := c.get(fmt.Sprintf("/v1/events?limit=%d", recordsPerRound))
	if err != nil {
		return err
	}
	var events struct {
		Data []struct {
			ID             string
			SequenceNumber int64 `json:"sequence_number"`
			Hash           string
		}
	}
	if err := json.Unmarshal(page, &events); err != nil {
		return err
	}
	for _, event := range events.Data {
		hash, err := hex.DecodeString(event.Hash)
		if err != nil {
			return err
		}
		proof, err := c.get("/v1/events/" + event.ID + "/proof")
		if err != nil {
			return err
		}
		if err := c.checkProof(proof, event.SequenceNumber-1, hash); err != nil {
			return fmt.Errorf("the proof of event %d: %w", event.SequenceNumber, err)
		}
	}
	return nil
}

// checkProof verifies a proof as c2sp.org/tlog-proof has it.
func (c *client) checkProof(proof []byte, index int64, entry []byte) error {
	head, checkpoint, found := bytes.Cut(proof, []byte("\n\n"))
	if !found {
		return fmt.Errorf("no empty line")
	}
	lines := bufio.NewScanner(bytes.NewReader(head))
	for _, want := range []string{"c2sp.org/tlog-proof@v1", fmt.Sprintf("index %d", index)} {
		if !lines.Scan() || lines.Text() != want {
			return fmt.Errorf("%q is not %q", lines.Text(), want)
		}
	}
	var hashes tlog.RecordProof
	for lines.Scan() {
		hash, err := base64.StdEncoding.DecodeString(lines.Text())
		if err != nil || len(hash) != tlog.HashSize {
			return fmt.Errorf("%q is not a hash", lines.Text())
		}
		hashes = append(hashes, tlog.Hash(hash))
	}
	tree, err := c.open(checkpoint)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(hashes, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}

// pathOf is where c2sp.org/tlog-tiles has the tile: the path of sumdb without the height.
func pathOf(tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight))
	return "/v1/log/tile/" + strings.Replace(path, "data/", "entries/", 1)
}

// Height, ReadTiles and SaveTiles make the client a tlog.TileReader.
func (c *client) Height() int { return tileHeight }

func (c *client) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, 0, len(tiles))
	for _, tile := range tiles {
		hashes, err := c.get(pathOf(tile))
		if err != nil {
			return nil, err
		}
		data = append(data, hashes)
	}
	return data, nil
}

func (c *client) SaveTiles([]tlog.Tile, [][]byte) {}
