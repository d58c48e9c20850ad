import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { Finding } from '../../core/findings.ts';

const root = join(import.meta.dirname, '..', '..');

/** Runs the doctor as a process of its own, with no setting but the given ones. */
export function runDoctor(environment: Record<string, string>, args: string[] = []) {
  const node = join(root, 'node_modules', '.bin', 'node');
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...environment };
  const begun = performance.now();
  return new Promise<{ code: number; stdout: string; stderr: string; seconds: number }>((resolve) => {
    execFile(node, [join(root, 'doctor', 'main.ts'), ...args], { env, cwd: root }, (error, stdout, stderr) => {
      const code = error ? Number(error.code) : 0;
      resolve({ code, stdout, stderr, seconds: (performance.now() - begun) / 1000 });
    });
  });
}

/** What it found, with its exit code. */
export async function diagnose(environment: Record<string, string>) {
  const { code, stdout, seconds } = await runDoctor(environment, ['--json']);
  const { healthy, findings } = JSON.parse(stdout) as { healthy: boolean; findings: Finding[] };
  const about = (part: string) => findings.filter((finding) => finding.about === part);
  return {
    code,
    healthy,
    seconds,
    findings,
    about,
    failures: findings.filter(({ level }) => level === 'failure'),
    warnings: findings.filter(({ level }) => level === 'warning'),
  };
}
