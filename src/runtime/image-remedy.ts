import type { ContainerEngine } from './engine.ts';

/** For people: how the engine comes to have an image. */
export function imageRemedy({ title, imageTool }: Pick<ContainerEngine, 'title' | 'imageTool'>, image: string): string {
  const { program, perUser } = imageTool;
  const asRoot = perUser ? `, as root: ${title} keeps each user's images apart` : '';
  return `Build it here (${program} build -t ${image} FOLDER) or fetch it (${program} pull ${image})${asRoot}.`;
}
