-- What every visitor's database begins with: the lending desk of a small library.
CREATE TABLE reader (
  id integer PRIMARY KEY,
  name varchar(80) NOT NULL,
  since date NOT NULL
);
INSERT INTO reader VALUES
  (1, 'Ada', '2021-03-01'),
  (2, 'Grace', '2022-09-12'),
  (3, 'Edsger', '2023-01-20');
CREATE TABLE book (
  id integer PRIMARY KEY,
  title varchar(120) NOT NULL,
  author varchar(80) NOT NULL,
  year smallint NOT NULL,
  reader_id integer REFERENCES reader (id) ON DELETE SET NULL
);
INSERT INTO book VALUES
  (1, 'Middlemarch', 'George Eliot', 1871, 1),
  (2, 'Walden', 'Henry David Thoreau', 1854, NULL),
  (3, 'Emma', 'Jane Austen', 1815, 3),
  (4, 'The Time Machine', 'H. G. Wells', 1895, NULL);
