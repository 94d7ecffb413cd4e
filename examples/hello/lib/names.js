// A board is called by a quality and an animal, such as "Copper Heron".
export const qualities = [
  'Amber', 'Autumn', 'Brave', 'Brisk', 'Bronze', 'Calm', 'Clever', 'Cobalt', 'Copper', 'Coral', 'Cosmic', 'Crimson', 'Curious',
  'Dapper', 'Dusty', 'Early', 'Electric', 'Emerald', 'Gentle', 'Golden', 'Hidden', 'Honest', 'Indigo', 'Ivory', 'Jade', 'Jolly',
  'Lucky', 'Lunar', 'Mellow', 'Merry', 'Midnight', 'Misty', 'Nimble', 'Nordic', 'Opal', 'Patient', 'Polar', 'Quiet', 'Rainy',
  'Ruby', 'Rustic', 'Saffron', 'Scarlet', 'Silver', 'Sleepy', 'Solar', 'Spring', 'Starlit', 'Stormy', 'Sunny', 'Swift', 'Tidal',
  'Topaz', 'Twilight', 'Velvet', 'Violet', 'Wandering', 'Wild', 'Windy', 'Winter',
];
export const animals = [
  'Albatross', 'Alpaca', 'Badger', 'Beaver', 'Bison', 'Bumblebee', 'Capybara', 'Caribou', 'Chameleon', 'Cicada', 'Condor', 'Crane',
  'Dolphin', 'Dormouse', 'Dragonfly', 'Eagle', 'Egret', 'Falcon', 'Ferret', 'Firefly', 'Fox', 'Gecko', 'Gibbon', 'Hare', 'Hedgehog',
  'Heron', 'Ibex', 'Jackdaw', 'Kestrel', 'Kingfisher', 'Koala', 'Lemur', 'Lynx', 'Magpie', 'Manatee', 'Marmot', 'Narwhal', 'Newt',
  'Octopus', 'Orca', 'Osprey', 'Otter', 'Owl', 'Pangolin', 'Pelican', 'Penguin', 'Puffin', 'Quail', 'Raccoon', 'Raven', 'Seal',
  'Sparrow', 'Squirrel', 'Starling', 'Stork', 'Swallow', 'Tapir', 'Turtle', 'Walrus', 'Wombat',
];
