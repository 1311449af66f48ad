/* Uses SQLite as a program would: a table, an index, a transaction, a query with a join, text and sorting. */
#include "sqlite3.h"
#include <stdio.h>

static const char *const STATEMENTS[] = {
    "create table word (id integer primary key, text text not null, size integer)",
    "create index by_size on word (size)",
    "begin",
    "with recursive n (i) as (values (1) union all select i + 1 from n where i < 2000)"
    " insert into word (text, size) select printf('%x-%s', i * 2654435761 % 65521, hex(i)), i % 97 from n",
    "commit",
    "select count(*), sum(size), max(text), group_concat(distinct size % 5) from word",
    "select a.size, count(*) as c, min(b.text) from word a join word b on a.size = b.size and a.id < b.id"
    " group by a.size having c > 180 order by c desc, a.size limit 5",
    "select text from word where text like '%f-3%' and size between 10 and 40 order by text limit 7",
    "select json_group_array(size) from (select distinct size from word order by size limit 4)",
};

static int row(void *unused, int count, char **values, char **names) {
    (void)unused;
    for (int i = 0; i < count; i++) printf("%s=%s%c", names[i], values[i] ? values[i] : "null", i + 1 < count ? ' ' : '\n');
    return 0;
}

int main(void) {
    sqlite3 *db;
    char *error = NULL;
    if (sqlite3_open(":memory:", &db)) return 1;
    for (size_t i = 0; i < sizeof STATEMENTS / sizeof *STATEMENTS; i++)
        if (sqlite3_exec(db, STATEMENTS[i], row, NULL, &error)) return fprintf(stderr, "%s\n", error), 1;
    return sqlite3_close(db);
}
