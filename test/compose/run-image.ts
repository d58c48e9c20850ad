import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { delimiter } from 'node:path';
import { assembleImage } from './assemble-image.ts';
import { execForm, imageEnvironment, instruction } from './read-dockerfile.ts';

export type Container = {
  pid: number;
  /** What it has written to standard error and output. */
  output(): string;
  /** Sends a signal, if one is given, and waits for the end: the exit code, or the signal that ended it. */
  ended(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals>;
};

export type Image = {
  app: string;
  /** Runs the entry point with this command, and no variable but these and the image's own. */
  start(command: string[], environment: Record<string, string>): Container;
  /** Runs the health check of the image where these variables are set; its exit code. */
  checkHealth(environment: Record<string, string>): Promise<number | NodeJS.Signals>;
  remove(): Promise<void>;
};

/** `USER node`: someone who owns nothing of the image, so that nothing in it can be written. Only root can become someone else. */
const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};

/** The image as a folder, and its programs as processes of this machine. */
export async function buildImage(): Promise<Image> {
  const { directory, app, bin } = await assembleImage();
  const running = new Set<ChildProcess>();
  const run = (program: string, args: string[], environment: Record<string, string>): Container => {
    const PATH = [bin, '/usr/bin', '/bin'].join(delimiter);
    const env = { PATH, ...imageEnvironment(), ...environment } as NodeJS.ProcessEnv;
    const child = spawn(program, args, { cwd: app, env, ...nobody, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    return watch(child);
  };
  const [entry] = execForm(instruction('ENTRYPOINT'));
  const [check, ...checkArguments] = execForm(instruction('HEALTHCHECK'));
  return {
    app,
    start: (command, environment) => run(entry!.replace('/app/', `${app}/`), command, environment),
    checkHealth: (environment) => run(check!, checkArguments, environment).ended(),
    async remove() {
      for (const child of running) child.kill('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function watch(child: ChildProcess): Container {
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  const closed = once(child, 'close').then(([code, signal]) => (signal ?? code) as number | NodeJS.Signals);
  return {
    pid: child.pid!,
    output: () => output,
    ended(signal) {
      if (signal) child.kill(signal);
      return closed;
    },
  };
}
