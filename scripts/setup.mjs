// Makes ready what every npm script needs: the packages of package-lock.json, Node 24 among them, and the Prisma client.
// Runs on Node 20 with nothing installed, and ends at once when all is there.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...path) => join(root, ...path);
const lockDirectory = at('.setup-lock');
const installStamp = at('node_modules', '.logferry-install');
const clientStamp = at('prisma', 'generated', '.stamp');
const staleLockMs = 15 * 60_000;

class SetupError extends Error {}

try {
  setUp();
} catch (error) {
  console.error(error instanceof SetupError ? error.message : error);
  process.exitCode = 1;
}

function setUp() {
  refuseOldNode();
  refuseIncompleteCheckout();
  if (isInstalled() && isGenerated()) return;
  withLock(() => {
    if (!isInstalled()) install();
    if (!isGenerated()) generate();
  });
}

function refuseOldNode() {
  if (Number.parseInt(process.versions.node, 10) < 20) {
    throw new SetupError(`Logferry needs Node.js 20 or newer; this is ${process.version}.`);
  }
}

function refuseIncompleteCheckout() {
  const missing = ['package.json', 'package-lock.json', 'prisma/schema.prisma', 'prisma.config.ts'].filter(
    (file) => !existsSync(at(file)),
  );
  if (missing.length > 0) {
    throw new SetupError(
      `The checkout is incomplete: ${missing.join(', ')} is missing. Run \`git checkout -- .\` in ${root}, or clone again.`,
    );
  }
}

function isInstalled() {
  return readIfThere(installStamp) === hashOf('package-lock.json') && existsSync(at('node_modules', '.bin', 'node'));
}

/** Takes also what somebody's own `npm ci` or `npm install` has put there, if it is what the lock file says. */
function install() {
  if (!matchesLock()) {
    console.error('Installing…');
    // Scripts apart: npm 10 would also run Prisma's, which refuses some versions of Node and fetches an engine that nothing
    // here uses from a host that is no npm registry.
    runNpm(['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund']);
    runNpm(['rebuild', ...packagesWithScripts()]);
  }
  refuseMissingNode();
  writeFileSync(installStamp, hashOf('package-lock.json'));
}

/** Those that package.json allows to run their install scripts, as far as they are for this platform. */
function packagesWithScripts() {
  const allowed = Object.entries(JSON.parse(readFileSync(at('package.json'), 'utf8')).allowScripts);
  return allowed.filter(([name, allows]) => allows && existsSync(at('node_modules', name))).map(([name]) => name);
}

function matchesLock() {
  const installed = readIfThere(at('node_modules', '.package-lock.json'));
  if (!installed) return false;
  const present = JSON.parse(installed).packages;
  const wanted = JSON.parse(readFileSync(at('package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    if (!present[path]) return entry.optional || entry.devOptional;
    return present[path].version === entry.version && existsSync(at(path));
  });
}

function runNpm(args) {
  const own = process.env.npm_execpath;
  // When the Node that runs this is the one in node_modules, `npm ci` has just removed it: the next one in PATH serves.
  const isUsable = own && /^npm/.test(basename(own)) && existsSync(process.execPath);
  const [command, ...first] = isUsable ? [process.execPath, own] : ['npm'];
  const npm = spawnSync(command, [...first, ...args], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (npm.error?.code === 'ENOENT') {
    throw new SetupError('npm is missing: install it (it comes with Node.js), then try again.');
  }
  if (npm.error) throw npm.error;
  if (npm.status !== 0) throw new SetupError(`${npm.stdout}${npm.stderr}\nnpm ${args[0]} failed; its output is above.`);
}

/** The package `node` gets its program by an install script, which npm may have been told not to run. */
function refuseMissingNode() {
  const wanted = JSON.parse(readFileSync(at('node_modules', 'node', 'package.json'), 'utf8')).version;
  const found = spawnSync(at('node_modules', '.bin', 'node'), ['--version'], { encoding: 'utf8' });
  if (found.stdout?.trim() === `v${wanted}`) return;
  throw new SetupError(
    'npm did not run the install scripts that package.json allows (is ignore-scripts set?). Run `npm rebuild --ignore-scripts=false`, then try again.',
  );
}

function isGenerated() {
  return readIfThere(clientStamp) === clientHash();
}

function clientHash() {
  const version = JSON.parse(readFileSync(at('node_modules', 'prisma', 'package.json'), 'utf8')).version;
  return `${version} ${hashOf('prisma/schema.prisma')} ${hashOf('prisma.config.ts')}`;
}

function generate() {
  const prisma = spawnSync(
    at('node_modules', '.bin', 'node'),
    [at('node_modules', 'prisma', 'build', 'index.js'), 'generate'],
    {
      cwd: root,
      encoding: 'utf8',
      // Its schema engine is not needed to generate, only looked for: any file will do, and nothing is downloaded.
      env: {
        ...process.env,
        PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
        CHECKPOINT_DISABLE: '1',
        PRISMA_HIDE_UPDATE_MESSAGE: '1',
      },
    },
  );
  if (prisma.error) throw prisma.error;
  if (prisma.status !== 0)
    throw new SetupError(`${prisma.stdout}${prisma.stderr}\nprisma generate failed; its output is above.`);
  writeFileSync(clientStamp, clientHash());
}

/** One at a time: two `npm ci` at once destroy each other's work. */
function withLock(work) {
  let told = false;
  while (!takeLock()) {
    if (!told) console.error('Waiting for another installation to end…');
    told = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
  try {
    work();
  } finally {
    rmSync(lockDirectory, { recursive: true, force: true });
  }
}

function takeLock() {
  try {
    mkdirSync(lockDirectory);
    writeFileSync(join(lockDirectory, 'pid'), String(process.pid));
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  if (isStale()) rmSync(lockDirectory, { recursive: true, force: true });
  return false;
}

function isStale() {
  const taken = statSync(lockDirectory, { throwIfNoEntry: false });
  if (!taken) return false;
  if (Date.now() - taken.mtimeMs > staleLockMs) return true;
  const pid = Number(readIfThere(join(lockDirectory, 'pid')));
  if (!pid) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

function hashOf(file) {
  return createHash('sha256')
    .update(readFileSync(at(file)))
    .digest('hex');
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
