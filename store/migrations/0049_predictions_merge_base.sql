-- Question: how many parts of alike size does ClickHouse wait for before it merges predictions?
-- A merge writes each row again, with its maps, bloom filter and projection, which costs as much as the INSERT did. Of parts of 60,000
-- rows the usual base of 5 made 4.5 us of merges a row within a million rows, 10 makes 2.1 us. A partition has about
-- twice as many parts for it, which is some tens, far below the 1,000 from which on INSERTs are slowed down.
ALTER TABLE ${database}.predictions${local}${on_cluster} MODIFY SETTING merge_selector_base = 10
