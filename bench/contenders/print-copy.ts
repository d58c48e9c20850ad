import { once } from 'node:events';
import pg from 'pg';

/**
 * `print-copy.ts URL STATEMENT` prints what a COPY gives, as psql does: for machines without it. It parses each row's
 * message and hands the rows on in large pieces.
 */
const [url, statement] = process.argv.slice(2) as [string, string];
const pieceBytes = 256 * 1024;
const client = new pg.Client({ connectionString: url, options: '-c TimeZone=UTC' });
await client.connect();

let piece = Buffer.allocUnsafe(pieceBytes);
let used = 0;
const write = () => {
  if (used === 0) return;
  const { stream } = (client as unknown as { connection: { stream: NodeJS.ReadStream } }).connection;
  if (!process.stdout.write(piece.subarray(0, used))) {
    stream.pause();
    void once(process.stdout, 'drain').then(() => stream.resume());
  }
  piece = Buffer.allocUnsafe(pieceBytes);
  used = 0;
};
await new Promise<void>((resolve, reject) => {
  const query = {
    submit: (connection: { query(text: string): void }) => connection.query(statement),
    handleCopyData({ chunk }: { chunk: Buffer }) {
      if (used + chunk.length > piece.length) write();
      if (chunk.length > piece.length) piece = Buffer.allocUnsafe(chunk.length);
      used += chunk.copy(piece, used);
    },
    handleCommandComplete() {},
    handleReadyForQuery() {
      write();
      resolve();
    },
    handleError: reject,
  };
  client.query(query as unknown as pg.Submittable);
});
await client.end();
