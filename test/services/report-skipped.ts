import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node';

/** Ends a run with the names of the tests that were skipped, and with what was missing for them. */
export default function reportSkipped(): Reporter {
  let vitest: Vitest | undefined;
  return {
    onInit(context) {
      vitest = context;
    },
    async onTestRunEnd(modules) {
      const skipped = modules.flatMap(skippedIn);
      // Asked for one test by name, nobody wants to hear of the others.
      if (skipped.length === 0 || vitest?.config.testNamePattern) return;
      vitest?.logger.log(`\n ${skipped.length} skipped:`);
      for (const line of skipped) vitest?.logger.log(`   ${line}`);
      for (const [name, why] of Object.entries(await missing(vitest)))
        vitest?.logger.log(` ${name} was not there: ${why}`);
    },
  };
}

function skippedIn(module: TestModule): string[] {
  const tests: TestCase[] = [...module.children.allTests('skipped')];
  return tests.map((test) => `${module.relativeModuleId} > ${test.fullName}`);
}

/** Asked while the services still run: the run's teardown comes after this report. */
async function missing(vitest: Vitest | undefined): Promise<Record<string, string>> {
  const { servicesUrl } = vitest?.getRootProject().getProvidedContext() ?? {};
  if (!servicesUrl) return {};
  const reply = await fetch(`${servicesUrl}/missing`);
  return (await reply.json()) as Record<string, string>;
}
