import { TooLateError, within } from '../core/async/within.ts';
import type { Finding } from '../core/findings.ts';

/** Milliseconds that a look at one part may take. */
const patienceMs = 10_000;

/**
 * Looks at one part of the deployment. What fails or hangs there is a finding, so that all other parts are looked at too.
 * @param about names the part
 */
export async function look(about: string, work: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await within(patienceMs, `The look at the ${about}`, work());
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof TooLateError) {
      const remedy = 'Something between here and there hangs. See that it runs, and that nothing drops its packets.';
      return [{ level: 'failure', about, text: `No answer within ${patienceMs / 1000} s`, remedy }];
    }
    // What a ConfigError says, it says in a line for each mistake.
    return message.split('\n').map((text) => ({ level: 'failure', about, text, remedy: 'Do what the message says.' }));
  }
}
