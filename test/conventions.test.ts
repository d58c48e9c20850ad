import { execFileSync } from 'node:child_process';
import { homedir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { variables } from '../core/config.ts';
import { errorTypes } from '../core/errors.ts';
import { limitsOf } from '../core/exports/plan-limits.ts';
import { metricList } from '../core/metrics.ts';
import { plans } from '../core/tenants.ts';
import { find, folderOf, folders, importsOf, packageOf, read, root, sources } from './source-files.ts';

describe('imports', () => {
  /** Whom a folder may import of ours, besides itself. */
  const arrows: Record<string, string[]> = {
    core: [],
    prisma: ['core'],
    api: ['core', 'prisma', 'package.json'],
    worker: ['core', 'prisma', 'package.json'],
    local: ['core', 'prisma', 'api', 'worker'],
    doctor: ['core', 'prisma'],
    // Redis and S3 as local/services starts them.
    bench: ['core', 'prisma', 'local'],
  };

  test.each(folders)('of %s point only where they may', (folder) => {
    const wrong = sources
      .filter((file) => folderOf(file) === folder)
      .flatMap((file) => importsOf(file).map((target) => ({ file, target })))
      .filter(({ target }) => [...folders, 'test', 'package.json'].includes(folderOf(target)))
      .filter(({ target }) => ![folder, ...arrows[folder]!].includes(folderOf(target)));
    expect(wrong).toEqual([]);
  });

  /** Where alone a package or a generated file may be imported, by the beginning of the path. */
  const homes: Record<string, string[]> = {
    express: ['api/'],
    'express-rate-limit': ['api/'],
    'rate-limit-redis': ['api/'],
    cors: ['api/'],
    jose: ['core/access/'],
    '@prisma/client': ['prisma/'],
    '@prisma/adapter-pg': ['prisma/'],
    'prisma/generated': ['prisma/'],
    pg: ['prisma/'],
    bullmq: ['core/queue/', 'prisma/migrate.ts'],
    'bullmq-otel': ['core/queue/telemetry.ts'],
    ioredis: ['core/queue/redis'],
    undici: ['worker/'],
    pino: ['core/log.ts'],
    'prom-client': ['core/metrics.ts'],
    '@bull-board/api': ['api/'],
    '@bull-board/express': ['api/'],
    'csv-parse': ['local/'],
  };

  test.each(Object.entries(homes))('of %s stand in %j alone', (name, places) => {
    const elsewhere = sources
      .filter((file) => !file.startsWith('bench/') && !places.some((place) => file.startsWith(place)))
      .filter((file) => importsOf(file).some((target) => packageOf(target) === name || target.startsWith(`${name}/`)));
    expect(elsewhere).toEqual([]);
  });

  test('are of packages that package.json lists', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json'));
    const listed = Object.keys({ ...dependencies, ...devDependencies });
    const missing = [...sources, ...find('test/**/*.ts')].flatMap((file) =>
      importsOf(file)
        .filter((target) => !target.startsWith('node:') && !/\.(ts|json)$/.test(target))
        .filter((target) => !listed.includes(packageOf(target)))
        .map((target) => `${file}: ${target}`),
    );
    expect(missing).toEqual([]);
  });
});

describe('construction', () => {
  /** Who may call what makes a thing that connects. */
  const makers: Record<string, string[]> = {
    readConfig: [
      'api/main.ts',
      'worker/main.ts',
      'prisma/migrate.ts',
      'prisma/secret-key/main.ts',
      'local/start-local.ts',
      'local/worker/main.ts',
      'doctor/read-configuration.ts',
    ],
    openDeployment: ['api/main.ts', 'worker/open-worker.ts', 'local/start-local.ts'],
    startApi: ['api/main.ts', 'local/start-local.ts'],
    startWorker: ['worker/open-worker.ts'],
    openDatabase: ['prisma/deployment.ts', 'prisma/secret-key/main.ts', 'local/demo/check-demo-file.ts'],
    openQueue: ['prisma/deployment.ts', 'doctor/examine.ts'],
    openPostgresQueue: ['prisma/open-queue.ts'],
    openRedisQueue: ['prisma/open-queue.ts'],
    openStore: ['prisma/deployment.ts', 'doctor/examine.ts'],
    openRedisCounter: ['api/start-api.ts'],
  };

  test.each(Object.entries(makers))('%s is called in %j alone', (maker, places) => {
    const callers = sources.filter((file) => !file.startsWith('bench/')).filter((file) => calls(file, maker));
    expect(callers).toEqual([...places].sort());
  });

  /** Calls, not the definition, nor what comments say of it. */
  const calls = (file: string, name: string): boolean =>
    read(file)
      .split('\n')
      .filter((line) => !/^\s*(\*|\/\/|\/\*)/.test(line))
      .some((line) => new RegExp(`(?<!function )\\b${name}\\(`).test(line));

  test('the environment is read in core/config.ts, by what local/ hands on or sets for other programs, and by the doctor', () => {
    const readers = sources.filter((file) => read(file).includes('process.env'));
    expect(readers.filter((file) => file !== 'core/config.ts' && !/^(local|bench)\/|^doctor\/main/.test(file))).toEqual(
      [],
    );
  });

  test('nothing connects, listens or waits when it is imported', () => {
    const programs = [
      ...['api/main.ts', 'worker/main.ts', 'doctor/main.ts', 'prisma/secret-key/main.ts'],
      'api/ingest/thread/main.ts',
      ...['local/start.ts', 'local/demo/demo.ts', 'local/worker/main.ts'],
    ];
    const modules = sources.filter((file) => !programs.includes(file) && !file.startsWith('bench/'));
    const script = `
      import net from 'node:net';
      const opened = [];
      for (const [owner, name] of [[net.Socket.prototype, 'connect'], [net.Server.prototype, 'listen']]) {
        const real = owner[name];
        owner[name] = function (...args) { opened.push(name); return real.apply(this, args); };
      }
      for (const file of ${JSON.stringify(modules)}) await import(${JSON.stringify(`${root}/`)} + file);
      const waiting = process.getActiveResourcesInfo().filter((name) => /Timeout|TCP|Process|GetAddrInfo/.test(name));
      console.log(JSON.stringify([...opened, ...waiting]));
      process.exit(0);`;
    const node = join(root, 'node_modules', '.bin', 'node');
    expect(execFileSync(node, ['--input-type=module', '-e', script], { cwd: root, encoding: 'utf8' })).toBe('[]\n');
  });
});

describe('The documents', () => {
  const example = read('.env.example');
  const documents = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...find('docs/*.md')];
  const errorsDocument = read('docs/errors.md');

  test('begin with a README that is read in one sitting', () => {
    expect(read('README.md').split('\n').length).toBeLessThanOrEqual(300);
  });

  test.each(Object.entries(errorTypes))('have the error type %s with its status %i', (type, status) => {
    expect(errorsDocument).toMatch(new RegExp(`^\\| ${status} \\| \`${type}\` \\|`, 'm'));
  });

  test('have no other error type', () => {
    const listed = [...errorsDocument.matchAll(/^\| \d{3} \| `(\w+)` \|/gm)].map(([, type]) => type!);
    expect(listed.sort()).toEqual(Object.keys(errorTypes).sort());
  });

  const fixedDefault = ([name, variable]: (typeof entries)[number]): boolean =>
    'default' in variable && variable.default !== '' && !/EXPORT_CONCURRENCY|READERS/.test(name);
  const entries = Object.entries(variables);
  const configuration = read('docs/configuration.md').split('\n');

  test.each(entries)('and .env.example have the variable %s', (name, variable) => {
    const row = configuration.find((line) => line.startsWith('|') && line.split('|')[1]!.includes(`\`${name}\``));
    expect(row).toBeDefined();
    if (fixedDefault([name, variable] as (typeof entries)[number])) {
      expect(row).toContain(`\`${(variable as { default: string }).default}\``);
    }
    expect(example).toMatch(new RegExp(`^#? ?${name}=`, 'm'));
  });

  test('.env.example has no other variable', () => {
    const named = [...example.matchAll(/^#? ?([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name!);
    expect(named.filter((name) => !Object.hasOwn(variables, name) && !name.startsWith('AWS_'))).toEqual([]);
  });

  test('name only npm scripts that there are', () => {
    const { scripts } = JSON.parse(read('package.json'));
    const texts = [...documents, '.env.example'].map(read).join('\n');
    const named = [...texts.matchAll(/\bnpm run ([a-z:]+)|(?:`|^|; )npm (?!run )([a-z]+)/gm)].map(
      ([, a, b]) => (a ?? b)!,
    );
    const npmItself = ['ci', 'install', 'rebuild', 'run'];
    expect([...new Set(named)].filter((script) => !(script in scripts) && !npmItself.includes(script))).toEqual([]);
    expect(named).toEqual(expect.arrayContaining(['start', 'demo', 'test', 'migrate', 'api', 'worker']));
  });

  test('have a line for each package that package.json lists', () => {
    const { dependencies, optionalDependencies, devDependencies } = JSON.parse(read('package.json'));
    const contributing = read('CONTRIBUTING.md');
    const section = contributing.slice(contributing.indexOf('## Dependencies'));
    const unlisted = Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies }).filter(
      (name) => !section.includes(`\`${name.startsWith('@types/') ? '@types/*' : name}\``),
    );
    expect(unlisted).toEqual([]);
  });

  test('name the limits of each plan', () => {
    const rows = read('docs/api.md').matchAll(
      /^\| `(free|pro|enterprise)` \| ([\d,]+) \| (\d+)( billion)? \| (\d+)( TiB)? \| (none) \| (\d+) \| (\d+) \|$/gm,
    );
    const told = [...rows].map(([, plan, exports, events, billion, bytes, tebibytes, stored, keys, webhooks]) => [
      plan,
      {
        unfinished_exports: Number(exports!.replaceAll(',', '')),
        exported_rows_per_day: Number(events) * (billion ? 1e9 : 1),
        exported_bytes_per_day: Number(bytes) * (tebibytes ? 2 ** 40 : 1),
        stored_bytes: stored === 'none' ? null : Number(stored),
        api_keys: Number(keys),
        webhooks: Number(webhooks),
      },
    ]);
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(plans.map((plan) => [plan, limitsOf(plan, {})])));
  });

  /** Headings as the anchors that Markdown viewers make of them. */
  const anchorsOf = (file: string): string[] =>
    [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    );

  test.each(documents)('%s links only to files and headings that there are', (file) => {
    const links = [...read(file).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)]+))?\)/g)];
    const broken = links.filter(([, target, anchor]) => {
      const path = target ? relative(root, resolve(root, dirname(file), target)) : file;
      return find(path).length === 0 || (anchor !== undefined && !anchorsOf(path).includes(anchor));
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });

  test('are all to be found from the README', () => {
    const links = read('README.md').matchAll(/\]\((docs\/[^)#]+)\)/g);
    expect([...new Set([...links].map(([, target]) => target!))].sort()).toEqual(find('docs/*.md').sort());
  });

  test('alert and show only by metrics that there are', () => {
    const texts = ['docs/alerts.yml', 'docs/grafana.json'].map(read).join('\n');
    const named = [...texts.matchAll(/logferry_\w+/g)].map(([name]) => name.replace(/_(bucket|count|sum)$/, ''));
    expect([...new Set(named)].filter((name) => !Object.hasOwn(metricList, name))).toEqual([]);
    expect(parse(read('docs/alerts.yml')).groups[0].rules.length).toBeGreaterThan(5);
    expect(JSON.parse(read('docs/grafana.json')).panels.length).toBeGreaterThan(10);
  });
});

describe('every file', () => {
  const texts = [
    ...find('**/*.{ts,mjs,md,json,sql,prisma,yml,yaml,sh}'),
    '.env.example',
    '.gitignore',
    '.npmrc',
    '.ci/run',
  ];

  test('holds no path of a machine, and no host of a registry', () => {
    const home = homedir();
    const machine = [`${root}/`, ...(home.length > 5 ? [`${home}/`] : [])];
    const found = texts.filter(
      (file) =>
        machine.some((path) => read(file).includes(path)) ||
        /\/(home|Users)\/[a-z]|[A-Z]:\\\\?Users/.test(read(file)) ||
        /"resolved": "https?:/.test(read(file)),
    );
    // This file holds the patterns.
    expect(found.filter((file) => file !== 'test/conventions.test.ts')).toEqual([]);
  });

  test('of tests runs all of them; one that cannot run on a machine says why beside its condition', () => {
    const marked = find('test/**/*.test.ts').filter((file) =>
      /\b(test|it|describe)(\.\w+)*\.(skip|only|todo|fails)\b|\b(xit|xtest|xdescribe|fit|fdescribe)\(/.test(read(file)),
    );
    expect(marked).toEqual([]);
  });

  test('of ours has a kebab-case name that says what it is about', () => {
    const names = [...sources, ...find('test/**/*.ts')].map((file) =>
      file
        .split('/')
        .at(-1)!
        .replace(/(\.test)?\.ts$/, ''),
    );
    expect(names.filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name))).toEqual([]);
    expect(names.filter((name) => /(^|-)(utils?|helpers?|common|types|manager|service)$/.test(name))).toEqual([]);
  });
});
