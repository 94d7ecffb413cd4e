import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take half a minute and more on two cores, in seconds. One that grows belongs here; the
 * order is all it changes.
 */
const LONG: Readonly<Record<string, number>> = {
  'test/drills/crash-at-every-step.test.ts': 150,
  'test/e2e/operations-page.test.ts': 110,
  'test/contract/container-runtime-docker.test.ts': 105,
  'test/contract/container-runtime-podman.test.ts': 100,
  'test/e2e/restored-examples.test.ts': 90,
  'test/drills/outages.test.ts': 75,
  'test/contract/container-outage.test.ts': 65,
  'test/e2e/checkpoints.test.ts': 55,
  'test/drills/runbook-not-replenishing.test.ts': 50,
  'test/contract/databases-failures.test.ts': 50,
  'test/e2e/wordpress-image.test.ts': 50,
  'test/e2e/operator-commands.test.ts': 45,
  'test/drills/alert-fires.test.ts': 40,
  'test/contract/checkpointing-podman.test.ts': 37,
  'test/drills/crash-random.test.ts': 37,
  'test/drills/runbook-stuck-tasks.test.ts': 35,
  'test/deploy/install.test.ts': 35,
};

/** The longest first, so that no worker is left with one alone at the end. The others follow as Vitest has them. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const seconds = ({ moduleId }: TestSpecification): number =>
      Object.entries(LONG).find(([file]) => moduleId.endsWith(file))?.[1] ?? 0;
    return sorted.sort((a, b) => seconds(b) - seconds(a));
  }
}
