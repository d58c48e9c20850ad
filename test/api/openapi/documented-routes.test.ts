import type { Express } from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApp } from '../../../api/app.ts';
import { boardPath } from '../../../api/queues-board.ts';
import { registeredRoutes, routeAt } from '../registered-routes.ts';
import { type App, startApp } from '../start-app.ts';
import type { Documented, DocumentedApi } from './documented-api.ts';
import { readDocument } from './read-document.ts';

describe('The routes of the app', () => {
  let app: App;
  let express: Express;
  let api: DocumentedApi;
  /** Without the board, whose pages are Bull Board's own. */
  let operations: Documented[];
  beforeAll(async () => {
    app = await startApp();
    express = buildApp(app.deps);
    api = await readDocument(app.url);
    operations = api.operations.filter(({ path }) => path !== boardPath);
  });
  afterAll(() => app.close());

  const routeOf = ({ method, path }: Documented) =>
    routeAt(express, method.toUpperCase(), path.replace(/\{\w+\}/g, 'sample'));

  /** Every route that none of the operations reaches. */
  function undocumented(documented: Documented[]): string[] {
    const reached = documented.map(routeOf);
    return registeredRoutes(express)
      .filter(({ name }) => !name.startsWith(boardPath))
      .filter(({ method, layer }) => !reached.some((route) => route?.layer === layer && route.method === method))
      .map(({ method, name }) => `${method} ${name}`);
  }

  it('are all in the document', () => {
    expect(registeredRoutes(express).length).toBeGreaterThan(30);
    expect(undocumented(operations)).toEqual([]);
  });

  it('are found missing, each, when its operation is taken out of the document', () => {
    for (const each of operations) {
      const missing = undocumented(operations.filter((other) => other !== each));
      expect(missing, `${each.method} ${each.path}`).toHaveLength(1);
    }
  });

  it('take every operation of the document', () => {
    expect(operations.filter((each) => !routeOf(each))).toEqual([]);
    expect(api.operations.map(({ path }) => path)).toContain(boardPath);
  });
});
