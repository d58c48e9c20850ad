/** Where readers have the buffers from that they fill with rows. */
export type BufferSource = {
  bufferBytes: number;
  take(): Buffer;
  /** Takes a buffer back that nobody reads any more. */
  giveBack(buffer: Buffer): void;
};

/** A new buffer each time, for rows that are kept for nobody knows how long. */
export const freshBuffers = (bufferBytes: number): BufferSource => ({
  bufferBytes,
  take: () => Buffer.allocUnsafeSlow(bufferBytes),
  giveBack() {},
});

/**
 * Buffers that are used again, `mostFree` of them kept at a time. Memory outside of V8's heap makes it collect garbage the
 * more often the faster it is used up: this halves what a stream of a million rows costs besides its own thread.
 */
export function reusedBuffers(bufferBytes: number, mostFree: number): BufferSource {
  const free: Buffer[] = [];
  return {
    bufferBytes,
    take: () => free.pop() ?? Buffer.allocUnsafeSlow(bufferBytes),
    giveBack(buffer) {
      if (free.length < mostFree) free.push(buffer);
    },
  };
}
