const mebibyte = 1024 * 1024;

/** Bytes of events, or of exports, after which a page of a list ends; the next one continues. */
export const pageBytes = 8 * mebibyte;

/** Bytes that one event may have in a reply: what is taken at most as canonical JSON, and what is told of it besides. */
export const printedEventBytes = 1.25 * mebibyte;

/** Bytes that a page of so many events may have, before anything is known of them. */
export const mostPageBytes = (events: number): number =>
  Math.min(pageBytes + printedEventBytes, events * printedEventBytes);

/** Bytes of events after which a piece of a list that is sent row by row ends. */
export const pieceBytes = mebibyte;

/** Bytes that the request of an export may have, as it is kept and shown: it came as a body of a mebibyte. */
export const requestLimitBytes = mebibyte;
