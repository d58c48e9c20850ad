/**
 * Maps a stream with up to `limit` calls under way at a time, and gives the results in the order of the source. Memory is
 * bounded by the limit: the source is asked for no more than can be worked on. When it ends, by an error or because
 * nobody takes any more, every call under way is waited for first.
 */
export async function* mapInOrder<T, R>(
  source: AsyncIterable<T>,
  limit: number,
  map: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay: Promise<R>[] = [];
  try {
    for await (const item of source) {
      const result = map(item);
      result.catch(() => {}); // Heard when its turn comes.
      underWay.push(result);
      if (underWay.length >= limit) yield await underWay.shift()!;
    }
    while (underWay.length > 0) yield await underWay.shift()!;
  } finally {
    await Promise.allSettled(underWay);
  }
}
