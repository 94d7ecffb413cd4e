-- What every visitor's database begins with: the lending desk of a small library.
SET NAMES utf8mb4;
CREATE TABLE `reader` (
  `id` int unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(80) NOT NULL,
  `since` date NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO `reader` VALUES
  (1, 'Ada', '2021-03-01'),
  (2, 'Grace', '2022-09-12'),
  (3, 'Edsger', '2023-01-20');
CREATE TABLE `book` (
  `id` int unsigned NOT NULL AUTO_INCREMENT,
  `title` varchar(120) NOT NULL,
  `author` varchar(80) NOT NULL,
  `year` smallint NOT NULL,
  `reader_id` int unsigned DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `reader_id` (`reader_id`),
  CONSTRAINT `lent_to` FOREIGN KEY (`reader_id`) REFERENCES `reader` (`id`) ON DELETE SET NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO `book` VALUES
  (1, 'Middlemarch', 'George Eliot', 1871, 1),
  (2, 'Walden', 'Henry David Thoreau', 1854, NULL),
  (3, 'Emma', 'Jane Austen', 1815, 3),
  (4, 'The Time Machine', 'H. G. Wells', 1895, NULL);
