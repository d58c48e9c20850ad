import type { Express } from 'express';

/** One method of one route of the app. */
export type RegisteredRoute = {
  method: string;
  /** The patterns on the way to it, as they were registered. */
  name: string;
  /** Tells it from all others. */
  layer: object;
};

/** One entry of a router: a route, a router or an app under a path, or a function that requests pass. */
type Layer = {
  name: string;
  rawPath: unknown;
  match(path: string): { path: string } | false;
  route?: { path: unknown; methods: Record<string, boolean> };
  handle: { stack?: Layer[]; handle?: unknown };
};

/** What there is for any method: other people's apps and folders, whose own routes are their business. */
const isForeign = ({ name, handle }: Layer): boolean =>
  name === 'serveStatic' || (!handle.stack && typeof handle.handle === 'function');

const nameOf = (pattern: unknown): string => (pattern === '/' ? '' : String(pattern));

const routesOf = (layer: Layer, before: string): RegisteredRoute[] => {
  if (isForeign(layer)) return [{ method: 'GET', name: `${before}${nameOf(layer.rawPath)}/…`, layer }];
  // `_all` only says 405 in its own words.
  return Object.keys(layer.route?.methods ?? {})
    .filter((method) => method !== '_all')
    .map((method) => ({ method: method.toUpperCase(), name: `${before}${nameOf(layer.route!.path)}`, layer }));
};

/** Every route of the app, in the order in which they are asked. */
export function registeredRoutes(app: Express): RegisteredRoute[] {
  const walk = (stack: Layer[], before: string): RegisteredRoute[] =>
    stack.flatMap((layer) => [
      ...routesOf(layer, before),
      ...walk(layer.handle.stack ?? [], before + nameOf(layer.rawPath)),
    ]);
  return walk((app.router as unknown as { stack: Layer[] }).stack, '');
}

/** The route that takes a request, if there is one. */
export function routeAt(app: Express, method: string, path: string): RegisteredRoute | undefined {
  const walk = (stack: Layer[], rest: string): RegisteredRoute | undefined => {
    for (const layer of stack) {
      const matched = layer.match(rest);
      if (!matched) continue;
      const own = routesOf(layer, '').find((route) => route.method === method);
      const below = layer.handle.stack && walk(layer.handle.stack, rest.slice(matched.path.length) || '/');
      if (own ?? below) return own ?? below;
    }
    return undefined;
  };
  return walk((app.router as unknown as { stack: Layer[] }).stack, path);
}
