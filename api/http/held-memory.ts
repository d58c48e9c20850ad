import type { Request, RequestHandler, Response } from 'express';
import type { ByteBudget, Holding } from '../../core/limits/byte-budget.ts';
import { type Owner, sharesOf } from '../../core/limits/memory.ts';
import { localsOf } from '../access/locals.ts';
import { findCaller, findTenantOf } from '../access/tenant-route.ts';

/** Has the memory of each request behind it counted against this budget. */
export function holdMemory(budget: ByteBudget): RequestHandler {
  return (_request, response, next) => {
    const locals = localsOf(response);
    locals.memoryBudget = budget;
    // Who is still at work on it lets go when it has ended: a client that goes takes no memory away with it.
    response.once('close', () => (locals.isBeingHandled ? locals.holding?.close() : locals.holding?.end()));
    next();
  };
}

/** The memory that is held for this request: for its tenant, once that is known. It is given back when the reply has ended. */
export function holdingOf(request: Request, response: Response): Holding {
  const locals = localsOf(response);
  if (!locals.memoryBudget) throw new Error('The route is not behind holdMemory()');
  const { memoryBudget: budget } = locals;
  locals.holding ??= budget.open(sharesOf(ownerOf(request, response), budget.limitBytes));
  return locals.holding;
}

/** Calls of Frontegg find their tenant after their body; the management's name it in a header, and may name any. */
function ownerOf(request: Request, response: Response): Owner {
  const caller = findCaller(response);
  const tenant = findTenantOf(response) ?? caller?.tenant;
  if (tenant) return { name: tenant.id };
  if (caller) return { name: `${caller.countedAs} ${request.get('frontegg-tenant-id')?.slice(0, 256) ?? ''}` };
  return { address: request.ip ?? 'unknown' };
}

/**
 * Runs what answers a request. When that has ended, its body and what was read for it are garbage, and what its client has not
 * taken of the reply is all that is held.
 */
export function letGoAfter(handle: RequestHandler): RequestHandler {
  return async (request, response, next) => {
    const locals = localsOf(response);
    locals.isBeingHandled = true;
    try {
      await handle(request, response, next);
    } finally {
      locals.isBeingHandled = false;
      request.body = undefined;
      holdUntaken(request, response);
    }
  };
}

function holdUntaken(request: Request, response: Response): void {
  const locals = localsOf(response);
  const bytes = response.closed ? 0 : response.writableLength;
  if (bytes > 0) holdingOf(request, response).note('replies', bytes);
  if (!locals.holding) return;
  if (response.closed) locals.holding.end();
  else for (const kind of ['bodies', 'windows', 'pages'] as const) locals.holding.giveAll(kind);
}
