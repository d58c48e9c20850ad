/**
 * Milliseconds in which a client must take something of a reply that waits for it: what it does not take is kept for it. Files
 * and streams of events are kept in pieces, and may be saved by a person who pauses. The kernel takes a megabyte or more
 * before it is seen that a slow one takes anything, so that even this is far more than a pause.
 */
export const unreadLimitMs = { usual: 30_000, streams: 600_000 };

/** Requests that may wait on one connection for the reply to the one before: what a pipelining client has use for. */
export const mostPipelined = 100;

/** How many replies of one kind are sent at a time: by a process, to one tenant, to one key or user. Each may last for hours. */
export type PlaceLimits = { inAll: number; ofOneTenant: number; ofOneCaller?: number };

/** Streams of events each read rows all the time. */
export const streamLimits: PlaceLimits = { inAll: 100, ofOneTenant: 50 };

/** Streams of progress share one look at an export, so they cost little more than a socket. */
export const progressLimits: PlaceLimits = { inAll: 1_000, ofOneTenant: 100, ofOneCaller: 50 };

/**
 * Requests that wait for the end of an export (`Prefer: wait`) at a time: in a process, and of one tenant. Each keeps a
 * connection and its body for up to 30 seconds; beyond, a request is answered at once.
 */
export const waitLimits = { inAll: 500, ofOneTenant: 100 };
