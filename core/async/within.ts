/** Something took longer than we wait for it; what it does goes on unheard. */
export class TooLateError extends Error {
  constructor(what: string, ms: number) {
    super(`${what} took more than ${ms} ms`);
    this.name = 'TooLateError';
  }
}

/**
 * Waits for `work`, `ms` milliseconds at most. What comes of it later, also an error, is dropped.
 * @param what names the work in the error: "an answer of Redis"
 * @throws TooLateError, or what `work` throws
 */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new TooLateError(what, ms)), ms);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}
