import { createOne } from './create.ts';
import { downloadOne } from './download.ts';
import { endRoutes } from './end.ts';
import { estimateOne } from './estimate.ts';
import { readRoutes } from './read.ts';
import { getReceipt } from './receipt.ts';

/** The jobs that write files, in the order of what is done with one. */
export const exportRoutes = [createOne, estimateOne, ...readRoutes, ...endRoutes, downloadOne, getReceipt];
