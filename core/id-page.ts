/**
 * One page of a list that runs by id, newest first: up to `limit` rows after the one named, if any. Whoever reads it reads one
 * row more, which says that there are further ones.
 */
export type IdPage = { limit: number; afterId: string | undefined };
