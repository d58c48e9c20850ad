import { type Config, ConfigError, readConfig, type VariableName, variables } from '../core/config.ts';
import type { Finding } from '../core/findings.ts';

type Environment = Record<string, string | undefined>;

/** The configuration as far as it can be read; `spoiled` are the variables with a mistake, which count as not set in it. */
export type ReadConfiguration = { config: Config; spoiled: ReadonlySet<string>; findings: Finding[] };

/** Reads all that is right of the environment, and finds all that is wrong with it. */
export function readConfiguration(environment: Environment): ReadConfiguration {
  try {
    const config = readConfig(environment);
    const set = Object.keys(variables).filter((name) => environment[name]).length;
    const text = set === 0 ? 'nothing is set: all has its default' : `all ${set} variables that are set can be read`;
    return { config, spoiled: new Set(), findings: [{ level: 'ok', about: 'configuration', text }] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const lines = error.message.split('\n');
    const spoiled = new Set(
      Object.keys(environment).filter((name) => lines.some((line) => line.startsWith(`${name} `))),
    );
    const rest = Object.fromEntries(Object.entries(environment).filter(([name]) => !spoiled.has(name)));
    return { config: readConfig(rest), spoiled, findings: lines.map(mistake) };
  }
}

function mistake(text: string): Finding {
  const name = Object.keys(variables).find((each) => text.startsWith(`${each} `)) as VariableName | undefined;
  const remedy = name ? `Correct it (${name}: ${variables[name].about}).` : 'Correct the name, or unset it.';
  return { level: 'failure', about: 'configuration', text, remedy };
}
