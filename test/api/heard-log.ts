import { EventEmitter, once } from 'node:events';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import type { Log } from '../../core/log.ts';

export type Entry = { msg: string; level: number; [member: string]: unknown };

/** A log whose entries can be read and waited for. */
export function heardLog() {
  const entries: Entry[] = [];
  const heard = new EventEmitter();
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const line of chunk.toString().trim().split('\n')) entries.push(JSON.parse(line));
      heard.emit('entry');
      done();
    },
  });
  const log: Log = pino({ level: 'trace', base: null }, stream);
  return {
    log,
    entries,
    /** The first entry that fits, now or when it comes. */
    async entry(fits: (entry: Entry) => boolean): Promise<Entry> {
      for (;;) {
        const found = entries.find(fits);
        if (found) return found;
        await once(heard, 'entry');
      }
    },
  };
}
