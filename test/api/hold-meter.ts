/**
 * Loaded into a process of ours (`--import`), which must have an IPC channel: tells how long the event loop was held at most
 * since it was asked last, in milliseconds of CPU of its thread. What else the machine does counts for nothing so.
 */
let last = process.threadCpuUsage();
let most = 0;

const turn = (): void => {
  const now = process.threadCpuUsage();
  most = Math.max(most, now.user + now.system - last.user - last.system);
  last = now;
};

setInterval(turn, 1).unref();
process.on('message', () => {
  turn();
  process.send!(most / 1000);
  most = 0;
});
process.channel!.unref();
