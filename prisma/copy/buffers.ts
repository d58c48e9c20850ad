/** Where readers have the buffers from that they fill with rows. */
export type SlabSource = {
  slabBytes: number;
  take(): Buffer;
  /** Takes a buffer back that nobody reads any more. */
  giveBack(buffer: Buffer): void;
};

/** A new buffer each time, for rows that are kept for nobody knows how long. */
export const freshSlabs = (slabBytes: number): SlabSource => ({
  slabBytes,
  take: () => Buffer.allocUnsafeSlow(slabBytes),
  giveBack() {},
});

/**
 * Buffers that are used again, `mostFree` of them kept at a time. Memory outside of V8's heap makes it collect garbage the
 * more often the faster it is used up: this halves what a stream of a million rows costs besides its own thread.
 */
export function reusedSlabs(slabBytes: number, mostFree: number): SlabSource {
  const free: Buffer[] = [];
  return {
    slabBytes,
    take: () => free.pop() ?? Buffer.allocUnsafeSlow(slabBytes),
    giveBack(buffer) {
      if (free.length < mostFree) free.push(buffer);
    },
  };
}
