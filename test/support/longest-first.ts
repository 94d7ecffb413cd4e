import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take some fifteen seconds and more on two cores, in seconds. One that grows belongs here; the
 * order is all it changes.
 */
const LONG: Readonly<Record<string, number>> = {
  'test/long/operations-page-run.test.ts': 200,
  'test/long/checkpoints.test.ts': 170,
  'test/long/restored-examples.test.ts': 160,
  'test/contract/container-runtime-podman.test.ts': 140,
  'test/contract/container-runtime-docker.test.ts': 140,
  'test/long/crash-at-every-step.test.ts': 135,
  'test/contract/checkpointing-podman.test.ts': 65,
  'test/long/join-a-fleet.test.ts': 100,
  'test/long/travelling-checkpoints.test.ts': 90,
  'test/long/rolling-restart.test.ts': 60,
  'test/long/accessibility.test.ts': 60,
  'test/long/fleet.test.ts': 53,
  'test/long/outages.test.ts': 58,
  'test/drills/shutdown.test.ts': 50,
  'test/contract/databases-postgresql.test.ts': 43,
  'test/e2e/operator-commands.test.ts': 42,
  'test/long/wordpress-image.test.ts': 41,
  'test/contract/databases-failures.test.ts': 38,
  'test/long/waiting-line.test.ts': 37,
  'test/e2e/page.test.ts': 35,
  'test/e2e/try-image.test.ts': 35,
  'src/store/properties.integration.test.ts': 33,
  'test/drills/runbook-not-replenishing.test.ts': 33,
  'src/pool/double-delivery.integration.test.ts': 33,
  'test/e2e/program.test.ts': 30,
  'test/e2e/visit-frame.test.ts': 29,
  'test/drills/runbook-queue.test.ts': 27,
  'test/long/crash-random.test.ts': 27,
  'test/drills/alert-fires.test.ts': 23,
  'test/deploy/tls.test.ts': 22,
  'test/e2e/unused-instances.test.ts': 21,
  'test/drills/doctor-symptoms.test.ts': 20,
  'test/e2e/verified-delivery.test.ts': 20,
  'test/e2e/embed.test.ts': 19,
  'test/drills/failing-template.test.ts': 18,
  'test/deploy/install.test.ts': 18,
  'test/e2e/dying-instances.test.ts': 17,
  'test/e2e/main-job-docker.test.ts': 15,
  'test/e2e/main-job-podman.test.ts': 15,
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
