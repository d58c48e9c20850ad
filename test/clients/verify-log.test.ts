import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, type Call, startApp } from '../api/start-app.ts';
import { findVerifier } from './find-verifier.ts';

const verifier = findVerifier();
const run = promisify(execFile);

const writers = 20;
const rounds = 8;

describe.skipIf(!verifier)(
  "Go's note and tlog of golang.org/x/mod (npm run install:services builds it, with Go)",
  () => {
    let app: App;
    beforeAll(async () => {
      app = await startApp();
    });
    afterAll(() => app.close());

    const sizes = (stdout: string) => stdout.trim().split('\n').map(Number);
    const verify = async (key: string, count: number) =>
      sizes((await run(verifier!, [app.url, key, `${count}`])).stdout);

    it('accepts checkpoints, their consistency, entries and proofs while 20 writers go on', async () => {
      const { key, call } = await app.newTenant();
      await write(call, 600);
      let goOn = true;
      const writing = Array.from({ length: writers }, async (_, writer) => {
        for (let batch = 0; goOn; batch++) await write(call, 1 + ((writer + batch) % 40));
      });
      const seen = await verify(key, rounds).finally(() => {
        goOn = false;
      });
      await Promise.all(writing);
      expect(seen).toHaveLength(rounds);
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
      expect(seen.at(-1)).toBeGreaterThan(seen[0]! + 500);
    }, 120_000);

    it('accepts what is signed after the key was changed, and what was before', async () => {
      const { key, call } = await app.newTenant();
      await write(call, 3);
      expect(await verify(key, 1)).toEqual([3]);
      expect((await app.admin('/v1/signing-keys/rotate', { method: 'POST' })).status).toBe(201);
      expect(await verify(key, 1)).toEqual([3]);
    });

    it('rejects a checkpoint of another log', async () => {
      const [one, other] = [await app.newTenant(), await app.newTenant()];
      await write(one.call, 2);
      await write(other.call, 2);
      await verify(one.key, 1);
      await verify(other.key, 1);
      // As somebody with the database could have it: the note of one in the row of the other.
      await app.database.pool.query(
        `update logs set shown_note = (select shown_note from logs where tenant_id = $2) where tenant_id = $1`,
        [one.tenant.id, other.tenant.id],
      );
      await expect(verify(one.key, 1)).rejects.toThrow(/could not verify|no verifiable signatures|not a checkpoint/i);
    });
  },
);

async function write(call: Call, count: number): Promise<void> {
  const events = Array.from({ length: count }, (_, at) => ({ action: 'test.happened', metadata: { at } }));
  const reply = await call('/v1/events/batch', { json: { events } });
  if (!reply.ok) throw new Error(await reply.text());
}
