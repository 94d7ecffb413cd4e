import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take twenty seconds and more beside all others on two cores, in seconds. One that grows belongs here; the
 * order is all it changes.
 */
const LONG: Readonly<Record<string, number>> = {
  'test/contract/container-runtime-podman.test.ts': 270,
  'test/contract/container-runtime-docker.test.ts': 250,
  'test/long/images-of-a-fleet.test.ts': 240,
  'test/long/operations-page-run.test.ts': 200,
  'test/contract/checkpointing-podman.test.ts': 175,
  'test/long/checkpoints.test.ts': 170,
  'test/long/restored-examples.test.ts': 160,
  'test/long/previews-in-containers.test.ts': 155,
  'test/long/crash-at-every-step.test.ts': 135,
  'test/e2e/visit-frame.test.ts': 105,
  'test/long/join-a-fleet.test.ts': 100,
  'test/e2e/try-image.test.ts': 95,
  'test/e2e/previews.test.ts': 95,
  'test/long/travelling-checkpoints.test.ts': 90,
  'test/e2e/dashboard.test.ts': 75,
  'test/e2e/reload-templates.test.ts': 70,
  'test/e2e/embed.test.ts': 65,
  'test/long/rolling-restart.test.ts': 60,
  'test/long/accessibility.test.ts': 60,
  'test/e2e/page.test.ts': 60,
  'test/e2e/verified-delivery.test.ts': 60,
  'test/long/outages.test.ts': 58,
  'test/contract/databases-postgresql.test.ts': 55,
  'test/e2e/unused-instances.test.ts': 55,
  'test/e2e/program.test.ts': 55,
  'test/long/fleet.test.ts': 53,
  'test/drills/failing-template.test.ts': 50,
  'test/e2e/operator-commands.test.ts': 45,
  'src/pool/double-delivery.integration.test.ts': 45,
  'test/long/wordpress-image.test.ts': 41,
  'test/drills/runbook-queue.test.ts': 40,
  'test/drills/shutdown.test.ts': 40,
  'test/deploy/tls.test.ts': 40,
  'test/long/waiting-line.test.ts': 37,
  'test/e2e/dying-instances.test.ts': 35,
  'test/drills/alert-fires.test.ts': 35,
  'test/drills/runbook-not-replenishing.test.ts': 35,
  'test/e2e/node-that-fails.test.ts': 35,
  'test/e2e/shared-databases.test.ts': 30,
  'test/drills/doctor-symptoms.test.ts': 30,
  'test/e2e/main-job-docker.test.ts': 30,
  'test/contract/checkpointing-hung.test.ts': 30,
  'test/long/crash-random.test.ts': 27,
  'test/e2e/nodes.test.ts': 25,
  'test/e2e/build-image.test.ts': 25,
  'test/contract/databases-mariadb.test.ts': 25,
  'test/drills/doctor-engine.test.ts': 25,
  'test/deploy/pr-preview.test.ts': 25,
  'test/e2e/node-names.test.ts': 25,
  'test/e2e/proxy.test.ts': 25,
  'src/store/properties.integration.test.ts': 20,
  'test/contract/databases-failures.test.ts': 20,
  'test/contract/container-outage.test.ts': 20,
  'test/contract/databases-postgresql-failures.test.ts': 20,
  'test/e2e/backup-commands.test.ts': 20,
  'test/e2e/client.test.ts': 20,
  'test/e2e/embed-recovery.test.ts': 20,
  'src/pool/update-images.integration.test.ts': 20,
};

/** The one with most to do first. A worker is only kept for files of one project, with all modules it has loaded. */
const PROJECTS: readonly string[] = ['parts', 'system', 'unit'];

/**
 * One project after the other, so that no worker is given up in between, and of each the longest first, so that none is
 * left with one alone at the end. The others follow as Vitest has them.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const project = ({ project: { name } }: TestSpecification): number => PROJECTS.indexOf(name);
    const seconds = ({ moduleId }: TestSpecification): number =>
      Object.entries(LONG).find(([file]) => moduleId.endsWith(file))?.[1] ?? 0;
    return sorted.sort((a, b) => project(a) - project(b) || seconds(b) - seconds(a));
  }
}
