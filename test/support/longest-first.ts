import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take some twenty seconds and more on two cores, in seconds. One that grows belongs here; the
 * order is all it changes.
 */
const LONG: Readonly<Record<string, number>> = {
  'test/long/operations-page-run.test.ts': 140,
  'test/long/crash-at-every-step.test.ts': 130,
  'test/contract/container-runtime-podman.test.ts': 100,
  'test/contract/container-runtime-docker.test.ts': 95,
  'test/long/checkpoints.test.ts': 65,
  'test/contract/checkpointing-podman.test.ts': 60,
  'test/long/restored-examples.test.ts': 60,
  'test/long/outages.test.ts': 50,
  'test/e2e/page.test.ts': 40,
  'src/pool/double-delivery.integration.test.ts': 38,
  'test/drills/alert-fires.test.ts': 33,
  'test/drills/runbook-queue.test.ts': 33,
  'test/drills/runbook-not-replenishing.test.ts': 30,
  'test/long/crash-random.test.ts': 28,
  'test/drills/shutdown.test.ts': 27,
  'test/e2e/operator-commands.test.ts': 26,
  'test/e2e/hello-app.test.ts': 24,
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
