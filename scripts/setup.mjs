// Makes ready what npm's scripts need: the packages of package-lock.json, Node 24 among them. With --production, only those that
// a deployment needs. Runs on Node 20 with nothing installed, and ends at once when all is there.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...path) => join(root, ...path);
const lockDirectory = at('.setup-lock');
const installStamp = at('node_modules', '.logferry-install');
const staleLockMs = 15 * 60_000;
const progressMs = 5_000;

class SetupError extends Error {}

try {
  await setUp({ production: process.argv.includes('--production') });
} catch (error) {
  console.error(error instanceof SetupError ? error.message : error);
  process.exitCode = 1;
}

async function setUp(wanted) {
  refuseOldNode();
  refuseIncompleteCheckout();
  if (isInstalled(wanted)) return;
  await withLock(async () => {
    if (!isInstalled(wanted)) await install(wanted);
  });
}

function refuseOldNode() {
  if (Number.parseInt(process.versions.node, 10) < 20) {
    throw new SetupError(`Logferry needs Node.js 20 or newer; this is ${process.version}.`);
  }
}

function refuseIncompleteCheckout() {
  const missing = ['package.json', 'package-lock.json', 'prisma/schema.prisma', 'prisma/generated/client.ts'].filter(
    (file) => !existsSync(at(file)),
  );
  if (missing.length > 0) {
    throw new SetupError(
      `The checkout is incomplete: ${missing.join(', ')} is missing. Run \`git checkout -- .\` in ${root}, or clone again.`,
    );
  }
}

/** The stamp is the hash of the lock file, and which packages of it are there. All of them do for a deployment, too. */
function isInstalled(wanted) {
  const stamp = readIfThere(installStamp);
  const isStamped = stamp === stampOf(wanted) || stamp === stampOf({ production: false });
  return isStamped && existsSync(at('node_modules', '.bin', 'node'));
}

function stampOf({ production }) {
  return `${hashOf('package-lock.json')} ${production ? 'production' : 'all'}`;
}

/** Takes also what somebody's own `npm ci` or `npm install` has put there, if it is what the lock file says. */
async function install(wanted) {
  if (!matchesLock(wanted)) {
    const packages = wantedPackages(wanted).length;
    console.error(`Installing ${packages} packages into node_modules; this takes one to five minutes, once.`);
    // Scripts apart, as some fetch what nothing here uses.
    const which = wanted.production ? '--omit=dev' : '--include=dev';
    await runNpm(
      ['ci', which, '--ignore-scripts', '--no-audit', '--no-fund'],
      () => `${countInstalled()} packages are there`,
    );
    console.error('Installing Node.js 24 beside them…');
    await runNpm(['rebuild', ...packagesWithScripts()], () => 'still installing');
    console.error('Installed.');
  }
  refuseMissingNode();
  writeFileSync(installStamp, stampOf(wanted));
}

/** Entries of the lock file that have to be there. */
function wantedPackages({ production }) {
  const entries = Object.entries(JSON.parse(readFileSync(at('package-lock.json'), 'utf8')).packages);
  return entries.filter(
    ([path, { dev, devOptional, optional }]) => path !== '' && !optional && !devOptional && !(production && dev),
  );
}

/** Packages whose files are there by now, nested ones left out. */
function countInstalled() {
  const names = (path) => (existsSync(path) ? readdirSync(path).filter((name) => !name.startsWith('.')) : []);
  const all = names(at('node_modules'));
  return all.reduce((sum, name) => sum + (name.startsWith('@') ? names(at('node_modules', name)).length : 1), 0);
}

/** Those that package.json allows to run their install scripts, as far as they are for this platform. */
function packagesWithScripts() {
  const allowed = Object.entries(JSON.parse(readFileSync(at('package.json'), 'utf8')).allowScripts);
  return allowed.filter(([name, allows]) => allows && existsSync(at('node_modules', name))).map(([name]) => name);
}

function matchesLock(wanted) {
  const installed = readIfThere(at('node_modules', '.package-lock.json'));
  if (!installed) return false;
  const present = JSON.parse(installed).packages;
  const isThere = ([path, entry]) => present[path]?.version === entry.version && existsSync(at(path));
  return [...wantedPackages(wanted), nodePackage()].every(isThere);
}

/** Node 24 is optional in package.json, as an image has it of itself. */
function nodePackage() {
  const path = 'node_modules/node';
  return [path, JSON.parse(readFileSync(at('package-lock.json'), 'utf8')).packages[path]];
}

/** @param progress says now and then how far it is */
async function runNpm(args, progress) {
  const own = process.env.npm_execpath;
  // When the Node that runs this is the one in node_modules, `npm ci` has just removed it: the next one in PATH serves.
  const isUsable = own && /^npm/.test(basename(own)) && existsSync(process.execPath);
  const [command, ...first] = isUsable ? [process.execPath, own] : ['npm'];
  const npm = spawn(command, [...first, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const began = Date.now();
  const timer = setInterval(
    () => console.error(`  ${Math.round((Date.now() - began) / 1000)} s: ${progress()}`),
    progressMs,
  );
  const code = await new Promise((resolve, reject) => npm.once('error', reject).once('close', resolve))
    .catch((error) => {
      throw error.code === 'ENOENT'
        ? new SetupError('npm is missing: install it (it comes with Node.js), then try again.')
        : error;
    })
    .finally(() => clearInterval(timer));
  if (code !== 0) throw new SetupError(`${output}\nnpm ${args[0]} failed; its output is above.`);
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

/** One at a time: two `npm ci` at once destroy each other's work. */
async function withLock(work) {
  let told = false;
  while (!takeLock()) {
    if (!told) console.error('Waiting for another installation to end…');
    told = true;
    await delay(100);
  }
  try {
    await work();
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
  } catch (error) {
    return error.code === 'ESRCH';
  }
  // One that has ended and that nobody has reaped yet (proc(5)): the state follows the name, which may hold anything.
  return /\) [ZX] [^)]*$/.test(readIfThere(`/proc/${pid}/stat`) ?? '');
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
