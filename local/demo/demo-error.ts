/** The demo cannot go on, or a check failed; the message is one line for the user. */
export class DemoError extends Error {
  /** What the process ends with: 1, or 2 when the demo was called wrongly. */
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message);
    this.name = 'DemoError';
    this.exitCode = exitCode;
  }
}
