-- Question: where do the tables live?
-- An Atomic database (the default of a server): tables are dropped and renamed without locking their readers.
CREATE DATABASE IF NOT EXISTS ${database}${on_cluster}
ENGINE = Atomic
