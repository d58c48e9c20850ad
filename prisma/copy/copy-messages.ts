import type { Readable } from 'node:stream';
import { lendBytes, lendNoMore } from './scan-socket.ts';

/** A row of a COPY where it stands among the bytes that came: valid only during the call that hands it over. */
export type CopyMessage = { bytes: Buffer; from: number; to: number };

const copyData = 0x64;
const readyForQuery = 0x5a;
/** Bytes before what a message says: its type, and how many follow with these. */
const headerBytes = 5;

/**
 * Takes the rows of a COPY out of what a connection receives. Everything else goes on to whoever listened before, pg's
 * parser, which has the connection back when the server is ready for the next statement. To be called before the statement
 * is sent, while nothing is under way.
 *
 * pg makes two objects of each row and hands them through four functions, which is most of what a row of CSV costs this
 * process. Messages are as in the protocol documentation, "Message Formats": a byte, and a 32-bit length that counts itself.
 */
export function takeCopyData(stream: Readable, onRow: (message: CopyMessage) => void): void {
  const others = stream.listeners('data') as ((bytes: Buffer) => void)[];
  const row: CopyMessage = { bytes: Buffer.alloc(0), from: 0, to: 0 };
  let begun: Begun | undefined;
  let isOver = false;

  const passOn = (bytes: Buffer) => {
    for (const other of others) other.call(stream, bytes);
  };
  const giveBack = () => {
    isOver = true;
    lendNoMore(stream);
    stream.off('data', take);
    for (const other of others) stream.on('data', other);
  };
  const takeOne = (bytes: Buffer, from: number, to: number) => {
    if (bytes[from] === copyData) {
      row.bytes = bytes;
      row.from = from + headerBytes;
      row.to = to;
      onRow(row);
      return;
    }
    // Before it is passed on, as the next statement may be sent from there.
    if (bytes[from] === readyForQuery) giveBack();
    passOn(bytes.subarray(from, to));
  };
  function take(bytes: Buffer): void {
    let at = 0;
    if (begun) {
      at = fill(begun, bytes, at);
      const whole = wholeOf(begun);
      if (!whole) return;
      begun = undefined;
      takeOne(whole, 0, whole.length);
    }
    while (!isOver && at + headerBytes <= bytes.length) {
      const end = at + lengthAt(bytes, at);
      if (end > bytes.length) break;
      takeOne(bytes, at, end);
      at = end;
    }
    if (at === bytes.length) return;
    // A copy: pg keeps a message that goes on.
    if (isOver) passOn(Buffer.from(bytes.subarray(at)));
    else begun = begin(bytes, at);
  }

  lendBytes(stream);
  stream.on('data', take);
  for (const other of others) stream.off('data', other);
}

/** A message, type and header included, that goes on in the bytes that come next. */
type Begun = { bytes: Buffer; filled: number };

/** All bytes of the message whose header is there. */
const lengthAt = (bytes: Buffer, at: number): number => 1 + bytes.readUInt32BE(at + 1);

function begin(bytes: Buffer, at: number): Begun {
  const isLengthKnown = at + headerBytes <= bytes.length;
  const begun = { bytes: Buffer.allocUnsafe(isLengthKnown ? lengthAt(bytes, at) : headerBytes), filled: 0 };
  fill(begun, bytes, at);
  return begun;
}

/** @returns the place behind what was taken */
function fill(begun: Begun, bytes: Buffer, at: number): number {
  const copied = bytes.copy(begun.bytes, begun.filled, at);
  begun.filled += copied;
  const isHeader = begun.filled === headerBytes && begun.bytes.length === headerBytes;
  if (!isHeader || lengthAt(begun.bytes, 0) === headerBytes) return at + copied;
  begun.bytes = Buffer.concat([begun.bytes], lengthAt(begun.bytes, 0));
  return fill(begun, bytes, at + copied);
}

const wholeOf = ({ bytes, filled }: Begun): Buffer | undefined => (filled === bytes.length ? bytes : undefined);
