// An idea is one of each: "Plan a picnic for a retired astronaut on a night train, using only blue things."
export const deeds = [
  'Plan a picnic', 'Write a postcard', 'Invent a board game', 'Draw a treasure map', 'Open a tiny museum', 'Compose a lullaby',
  'Design a flag', 'Write a menu', 'Organise a parade', 'Build a treehouse', 'Paint a mural', 'Host a tea party', 'Start a book club',
  'Choreograph a dance', 'Bake a birthday cake', 'Write a theme song', 'Sketch a dream house', 'Throw a surprise party',
  'Plant a secret garden', 'Record a radio play', 'Knit a jumper', 'Stage a puppet show', 'Pack a suitcase', 'Draw a comic strip',
  'Write a thank-you note', 'Invent a holiday', 'Design a postage stamp', 'Found a choir', 'Make a mixtape', 'Fold a paper fleet',
  'Write a bedtime story', 'Set up a lemonade stand', 'Carve a chess set', 'Film a documentary', 'Design a uniform',
  'Write a travel guide', 'Build a sandcastle', 'Cook a three-course dinner', 'Plan a treasure hunt', 'Invent a secret handshake',
];
export const people = [
  'a retired astronaut', 'a shy lighthouse keeper', 'a homesick pirate', 'two rival librarians', 'a sleepless baker',
  'a very small giant', 'your favourite teacher', 'a time traveller', 'a family of otters', 'the neighbour upstairs',
  'a nervous magician', 'a robot on its day off', 'a queen in disguise', 'your future self', 'a travelling clockmaker',
  'an impatient snail', 'three jazz musicians', 'a detective without a case', 'a cat with opinions', 'a polite dragon',
  'an opera singer with a cold', 'a deep-sea diver', 'a lost tourist', 'a beekeeper in love', 'the last dinosaur', 'a night nurse',
  'a forgetful elephant', 'a mountain goat', 'a young inventor', 'a champion of hide-and-seek', 'an honest politician',
  'a cloud watcher', 'a football team', 'the inventor of the umbrella', 'a mermaid on holiday', 'a grumpy weather reporter',
  'a kind ghost', 'a tired superhero', 'a choir of frogs', 'a cosmonaut’s dog', 'a penguin on the move', 'an old sailor',
  'a violin maker', 'a class of eight-year-olds', 'a philosopher', 'a train driver', 'somebody you miss', 'a left-handed juggler',
  'an owl who sleeps at night', 'your oldest friend',
];
export const places = [
  'on a night train', 'at the bottom of the sea', 'on the moon', 'in a lift', 'in an empty theatre', 'under a waterfall',
  'in a desert at noon', 'on a rooftop', 'in a greenhouse', 'at a bus stop in the rain', 'in a submarine',
  'in a library after closing time', 'on a frozen lake', 'in a hot-air balloon', 'in the year 2150', 'on a desert island',
  'in a laundrette', 'at the North Pole', 'in a museum at night', 'on a market square', 'in a castle cellar', 'behind a waterwheel',
  'in a tent in the garden', 'on a ferry', 'in a railway station', 'inside a snow globe', 'at the edge of a forest',
  'in a kitchen at midnight', 'on a space station', 'in a phone box', 'at a harbour', 'on top of a volcano', 'in a record shop',
  'in an orchard', 'on a slow river', 'in a city without cars', 'in a cave', 'on a ski lift', 'in a village of twelve',
  'in a traffic jam',
];
export const twists = [
  'with no more than five words', 'using only blue things', 'before the sun comes up', 'without being seen', 'for less than a penny',
  'as quietly as you can', 'with your eyes closed', 'and make it rhyme', 'with the wrong hand',
  'out of nothing but paper',
];
