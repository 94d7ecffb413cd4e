import { afterAll, beforeAll } from 'vitest';
import { launchEngine, type LaunchedEngine, type RealEngine } from '../support/container-engine.ts';
import { template } from '../support/templates.ts';
import { loadTinyImage, type TinyImage } from '../support/tiny-image.ts';
import { mainJobSuite } from './main-job.ts';

/** The main job with real containers of a 2 MB image. */
export function mainJobOnEngine(engine: RealEngine): void {
  let launched: LaunchedEngine;
  let image: TinyImage;
  beforeAll(async () => {
    launched = await launchEngine(engine);
    image = await loadTinyImage(launched.socketPath);
  });
  afterAll(async () => {
    await image[Symbol.asyncDispose]();
    await launched[Symbol.asyncDispose]();
  });
  mainJobSuite({
    options: () => ({ engine, socketPath: launched.socketPath }),
    template: () => template({ image: image.name, port: image.port }),
    survivesRestart: true,
  });
}
