// Fills a database, flushes and compacts it, opens it again, and reads it back in several ways.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "rocksdb/db.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/options.h"
#include "rocksdb/table.h"
#include "rocksdb/utilities/transaction_db.h"

using namespace rocksdb;

static void Check(const Status& status) {
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    std::exit(1);
  }
}

static std::string Key(int i) { return "key-" + std::to_string(i * 7919 % 20011); }

int main(int, char** argv) {
  const std::string directory = std::string(argv[0]) + ".data";
  Options options;
  options.create_if_missing = true;
  options.write_buffer_size = 64 << 10;
  options.compression = kNoCompression;
  BlockBasedTableOptions table;
  table.filter_policy.reset(NewBloomFilterPolicy(10));
  options.table_factory.reset(NewBlockBasedTableFactory(table));
  Check(DestroyDB(directory, options));
  DB* db = nullptr;
  Check(DB::Open(options, directory, &db));
  for (int i = 0; i < 20000; i++) Check(db->Put(WriteOptions(), Key(i), std::string(i % 50, 'a' + i % 26)));
  for (int i = 0; i < 20000; i += 3) Check(db->Delete(WriteOptions(), Key(i)));
  Check(db->Flush(FlushOptions()));
  Check(db->CompactRange(CompactRangeOptions(), nullptr, nullptr));
  Check(db->Close());
  delete db;
  Check(DB::Open(options, directory, &db));
  std::unique_ptr<Iterator> it(db->NewIterator(ReadOptions()));
  size_t count = 0, bytes = 0;
  for (it->SeekToFirst(); it->Valid(); it->Next()) count++, bytes += it->key().size() + it->value().size();
  Check(it->status());
  it.reset();
  std::string value;
  Check(db->Get(ReadOptions(), Key(19999), &value));
  std::printf("%zu keys, %zu bytes, last %s, missing %d\n", count, bytes, value.c_str(),
              db->Get(ReadOptions(), Key(3), &value).IsNotFound());
  delete db;
  TransactionDB* transactions = nullptr;
  Check(TransactionDB::Open(options, TransactionDBOptions(), directory, &transactions));
  std::unique_ptr<Transaction> transaction(transactions->BeginTransaction(WriteOptions()));
  Check(transaction->Put("key-new", "value"));
  Check(transaction->Commit());
  transaction.reset();
  Check(transactions->Get(ReadOptions(), "key-new", &value));
  std::printf("transaction: %s\n", value.c_str());
  delete transactions;
  Check(DestroyDB(directory, options));
}
