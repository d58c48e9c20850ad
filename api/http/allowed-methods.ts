import type { IRouter } from 'express';

/**
 * The methods that the routes at `path` take, for `Allow`; none when there is no such route. It asks the routers
 * themselves, so that no route has to list its methods twice.
 */
export function allowedMethods(router: IRouter, path: string): string[] {
  const methods = new Set<string>();
  collect(router.stack, path, methods);
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods].sort();
}

/** One entry of a router: a route, or something mounted, such as another router. */
type Layer = {
  match(path: string): { path: string } | false;
  route?: { methods: Record<string, boolean> };
  handle: { stack?: Layer[] };
};

function collect(stack: unknown, path: string, methods: Set<string>): void {
  for (const layer of stack as Layer[]) {
    const matched = layer.match(path);
    if (!matched) continue;
    // `_all` stands for route.all(), which is no method.
    const named = Object.keys(layer.route?.methods ?? {}).filter((method) => method !== '_all');
    for (const method of named) methods.add(method.toUpperCase());
    if (!layer.route && layer.handle.stack)
      collect(layer.handle.stack, path.slice(matched.path.length) || '/', methods);
  }
}
