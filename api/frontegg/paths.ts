import type { RequestHandler } from 'express';

/** Where Frontegg's APIs begin. */
export const fronteggMounts = ['/audits', '/auth', '/metadata'];

/** Frontegg's clients put slashes twice and at the end, and browsers a prefix before all (seen on the wire). */
const asClientsWriteThem = /^\/+(?:frontegg\/+)?(audits|auth|metadata)(?=\/|$)/i;

/** Gives each path of these APIs one form, for all that is behind it. */
export const onePath: RequestHandler = (request, _response, next) => {
  const [path = '', ...query] = request.url.split('?');
  if (asClientsWriteThem.test(path)) {
    const plain = path
      .replace(asClientsWriteThem, '/$1')
      .replaceAll(/\/{2,}/g, '/')
      .replace(/\/$/, '');
    request.url = [plain, ...query].join('?');
  }
  next();
};
