import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take some fifteen seconds and more on two cores, in seconds. One that grows belongs here; the
 * order is all it changes.
 */
const LONG: Readonly<Record<string, number>> = {
  'test/long/images-of-a-fleet.test.ts': 240,
  'test/contract/container-runtime-docker.test.ts': 210,
  'test/long/operations-page-run.test.ts': 200,
  'test/contract/container-runtime-podman.test.ts': 200,
  'test/long/checkpoints.test.ts': 170,
  'test/long/restored-examples.test.ts': 160,
  'test/long/previews-in-containers.test.ts': 155,
  'test/long/crash-at-every-step.test.ts': 135,
  'test/contract/checkpointing-podman.test.ts': 110,
  'test/long/join-a-fleet.test.ts': 100,
  'test/long/travelling-checkpoints.test.ts': 90,
  'test/e2e/operator-commands.test.ts': 80,
  'test/e2e/unused-instances.test.ts': 60,
  'test/long/rolling-restart.test.ts': 60,
  'test/long/accessibility.test.ts': 60,
  'test/contract/databases-postgresql.test.ts': 60,
  'test/drills/runbook-queue.test.ts': 60,
  'test/e2e/dashboard.test.ts': 60,
  'test/long/outages.test.ts': 58,
  'test/e2e/reload-templates.test.ts': 55,
  'test/long/fleet.test.ts': 53,
  'test/e2e/page.test.ts': 50,
  'src/store/properties.integration.test.ts': 45,
  'test/e2e/program.test.ts': 44,
  'test/long/wordpress-image.test.ts': 41,
  'test/e2e/visit-frame.test.ts': 40,
  'test/e2e/verified-delivery.test.ts': 38,
  'test/long/waiting-line.test.ts': 37,
  'test/e2e/dying-instances.test.ts': 37,
  'test/e2e/embed.test.ts': 36,
  'test/drills/failing-template.test.ts': 36,
  'src/pool/double-delivery.integration.test.ts': 35,
  'test/e2e/try-image.test.ts': 34,
  'test/e2e/main-job-podman.test.ts': 32,
  'test/drills/alert-fires.test.ts': 30,
  'test/e2e/shared-databases.test.ts': 30,
  'test/drills/doctor-symptoms.test.ts': 29,
  'test/drills/shutdown.test.ts': 28,
  'test/e2e/main-job-docker.test.ts': 28,
  'test/long/crash-random.test.ts': 27,
  'test/deploy/tls.test.ts': 23,
  'test/contract/databases-failures.test.ts': 21,
  'test/e2e/nodes.test.ts': 21,
  'test/drills/runbook-not-replenishing.test.ts': 20,
  'test/e2e/build-image.test.ts': 20,
  'test/contract/databases-mariadb.test.ts': 19,
  'test/deploy/install.test.ts': 18,
  'test/contract/container-outage.test.ts': 17,
  'test/e2e/keys-stay-secret.test.ts': 16,
  'test/e2e/hello-app.test.ts': 16,
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
