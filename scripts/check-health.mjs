// Health check of the image: 0 if the API or the worker of this container answers. Whether the services behind it do is another
// question (/readyz), which no restart of this container would settle.
const ports = [process.env.PORT || 3000, process.env.WORKER_PORT || 3001];
const answers = ports.map(async (port) => {
  const reply = await fetch(`http://127.0.0.1:${port}/livez`, { signal: AbortSignal.timeout(3000) });
  if (!reply.ok) throw new Error(`port ${port} answers ${reply.status}`);
});
await Promise.any(answers).catch(({ errors }) => {
  console.error(errors.map((error) => error.cause?.message ?? error.message).join('; '));
  process.exitCode = 1;
});
