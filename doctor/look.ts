import { TooLateError, within } from '../core/async/within.ts';
import type { Finding } from '../core/findings.ts';

/** Milliseconds that a look at one part may take. */
const usualPatienceMs = 10_000;

/**
 * Looks at one part of the deployment. What fails or hangs there is a finding, so that all other parts are looked at too.
 * @param about names the part
 * @param options.leaves what may be left behind when time is up
 */
export async function look(
  about: string,
  work: () => Promise<Finding[]>,
  { patienceMs = usualPatienceMs, leaves = '' } = {},
): Promise<Finding[]> {
  try {
    return await within(patienceMs, `The look at the ${about}`, work());
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof TooLateError) {
      const remedy = `Check whether it runs and how busy it is, then what is in between (firewall, proxy).${leaves && ` ${leaves}`}`;
      return [{ level: 'failure', about, text: `No answer within ${patienceMs / 1000} s`, remedy }];
    }
    // What a ConfigError says, it says in a line for each mistake.
    return message.split('\n').map((text) => ({ level: 'failure', about, text, remedy: 'Follow the message.' }));
  }
}
