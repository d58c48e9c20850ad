import { monitorEventLoopDelay } from 'node:perf_hooks';
import { forgetPeak, peakMib } from '../process-figures.ts';
import type { Sample } from '../rounds.ts';

/**
 * What each contender of Node is: it takes its job from the command line, works once, and hands over what it measured with
 * the seconds of the work, the peak of its memory (`peakMib`), the CPU that it took (`cpuSeconds`), and how long its event
 * loop was kept at most (`delayMs`). Loading its packages is not part of the work.
 */
export async function contend<Job>(work: (job: Job) => Promise<Sample>): Promise<void> {
  const job = JSON.parse(process.argv[2]!) as Job;
  // The end of whoever started us is ours.
  process.once('disconnect', () => process.exit(1));
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  forgetPeak(process.pid);
  const cpu = process.cpuUsage();
  const started = performance.now();
  const measured = await work(job);
  const { user, system } = process.cpuUsage(cpu);
  const sample: Sample = {
    seconds: (performance.now() - started) / 1000,
    cpuSeconds: (user + system) / 1e6,
    peakMib: peakMib(process.pid),
    delayMs: delay.max / 1e6,
    ...measured,
  };
  process.send!(sample, () => process.exit(0));
}
