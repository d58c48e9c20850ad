import { checkpointRoutes } from './checkpoint.ts';
import { tileRoutes } from './tiles.ts';

/** /v1/log: the Merkle tree of a tenant's events. */
export const logRoutes = [...checkpointRoutes, ...tileRoutes];
