<?php
// What stands in the window. Pictures are files of ../pictures; categories: 1 is the journal, 2 the shop.

return [
    'products' => [
        ['harbour-mug', 'Harbour mug', 'Stoneware, 350 ml · € 24', 'mug', 'A mug with a broad foot that stays where you put it.', 'Thrown by Ida in the old net loft, glazed twice: once in cream, once in the blue she mixes on the first cold day of the year. No two have the same waterline.', ['Holds 350 ml', 'Dishwasher safe, and it does not mind the microwave', 'Each about 9 cm high']],
        ['dune-vase', 'Dune vase', 'Earthenware, 28 cm · € 58', 'vase', 'For three branches, or one very good one.', 'The wave around its belly is drawn with a shell from the north beach while the clay is still soft. Unglazed outside, watertight inside.', ['28 cm high, opening 6 cm', 'Made in batches of eight', 'Branches not included']],
        ['lantern-lamp', 'Lantern lamp', 'Brass, warm light · € 89', 'lamp', 'A light to sit under, not to work by.', 'Spun from one sheet of brass that will darken where hands touch it. We think that it looks best in its third winter.', ['Shade 34 cm wide', '2 m of cloth cable', 'Takes any E27 bulb up to 40 W']],
        ['milking-stool', 'Milking stool', 'Ash, three legs · € 120', 'stool', 'Three legs never wobble.', 'Turned from ash that came down in the storm of two years ago, oiled and left alone. A seat, a side table, a step to the top shelf.', ['45 cm high', 'Carries 120 kg', 'Wedged joints, no screws']],
        ['hillside-throw', 'Hillside throw', 'Lambswool, 140 × 180 cm · € 75', 'throw', 'Heavy enough to keep you on the sofa.', 'Woven on a loom that is older than the weaver, in the colours of the hill behind the shop in October.', ['140 × 180 cm, fringed', 'Pure lambswool', 'Airing beats washing']],
        ['dusk-kettle', 'Dusk kettle', 'Enamel, 1.6 l · € 64', 'kettle', 'Sings a little before it boils.', 'Enamelled steel with a knob of brass. The colour is that of half past nine on a June evening.', ['1.6 litres', 'For every hob, induction too', 'The handle stays cool']],
    ],
    'journal' => [
        ['how-the-mug-gets-its-blue', 'How the Harbour mug gets its blue', 'Ida waits for the first cold morning to mix it. We asked why.', ['“When it is cold I have no patience for measuring,” says Ida, “and the blue likes that.” Then she measures everything twice.', 'The cream goes on first and is left to dry overnight. The blue follows in the morning, quickly, the mug held upside down. Where the two meet, the kiln decides.', 'Out of a firing of forty, three or four come out with a line so even that she keeps them for herself. She says that they look as if nobody had made them.']],
        ['caring-for-wool', 'Caring for wool: mostly, don’t', 'A cool night by an open window does more than any washing machine.', ['Wool cleans itself if you let it. Hang the throw over a line or a chair by an open window for a night; what was in it is gone by breakfast.', 'If something was spilled: cold water, a drop of hand soap, no rubbing. Dry it lying down.', 'And moths? Cedar, light and use. Nothing has ever eaten a throw that somebody was sitting under.']],
        ['a-new-window', 'A new window', 'Six things at a time, and none of them in a hurry. How we choose what stands in front.', ['Our window is one metre and eighty wide. That is room for six things, if each is to have some air around it.', 'They change when one is sold out or when the light does. What leaves the window comes back into the shelf behind it; ask.']],
    ],
    'pages' => [
        ['about', 'About', ['Fernhill is a small shop that does not exist, in a town that nobody has found yet. It sells six things at a time.', 'This is a demonstration: a real WordPress with a database of its own, started for you alone. Log in, change the words on this page, put a seventh thing into the window, choose other colours. When your time is up all of it is gone.']],
    ],
];
