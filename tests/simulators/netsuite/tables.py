"""The account's tables, in SQLite, shaped as SuiteQL's analytics source shows them: what is not there is refused.

A date is kept as "D|" and its ISO form, so that SuiteQL's functions can tell it from a text.
"""

import sqlite3

SCHEMA = """
create table "transaction" (
  id integer primary key, tranid text, type text, recordtype text, abbrevtype text, status text, trandate text,
  createddate text, lastmodifieddate text, externalid text, memo text, entity integer, postingperiod integer,
  iswip text, startdate text, enddate text, firmed text, location integer, createdby integer, void text, voided text,
  manufacturingrouting integer, billofmaterials integer, transactionnumber text);
create table transactionline (
  id integer, uniquekey integer, "transaction" integer, linesequencenumber integer, mainline text, item integer,
  quantity numeric, quantitybilled numeric, quantityshiprecv numeric, units text, location integer, isclosed text,
  taxline text, createdfrom integer, memo text, assemblycomponent text, buildvariance numeric,
  primary key ("transaction", id));
create table item (
  id integer primary key, itemid text, displayname text, itemtype text, isserialitem text, islotitem text,
  isinactive text, stockunit text, lastmodifieddate text);
create table manufacturingoperationtask (
  id integer primary key, workorder integer, operationsequence integer, title text, manufacturingworkcenter integer,
  status text, inputquantity numeric, completedquantity numeric, setuptime numeric, runrate numeric,
  actualsetuptime numeric, actualruntime numeric, actualwork numeric, estimatedwork numeric, remainingwork numeric,
  machineresources numeric, laborresources numeric, startdatetime text, enddate text, message text,
  manufacturingcosttemplate integer);
create table entitygroup (
  id integer primary key, groupname text, ismanufacturingworkcenter text, isinactive text);
create table inventorynumber (id integer primary key, inventorynumber text, item integer);
create table unitstypeuom (internalid integer primary key, unitname text, abbreviation text, conversionrate numeric);
create view workorder as select * from "transaction" where type = 'WorkOrd';
create view workordercompletion as select * from "transaction" where type = 'WOCompl';
create view assemblybuild as select * from "transaction" where type = 'Build';
"""
WORK_ORDER = {"A": "Planned", "B": "Released", "D": "In Process", "G": "Built", "H": "Closed"}
TASK = {"NOTSTART": "Not Started", "PROGRESS": "In Progress", "COMPLETE": "Completed"}


def new_database():
    """Return an empty database that may be used from the server's thread and the test's."""
    database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    database.setconfig(sqlite3.SQLITE_DBCONFIG_DQS_DML, False)  # noqa: FBT003 - a name in quotes is never a text
    database.row_factory = sqlite3.Row
    database.executescript(SCHEMA)
    return database


def insert(database, table, **row):
    """Write one row; returns its id."""
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    cursor = database.execute(f'insert into "{table}" ({names}) values ({marks})', list(row.values()))  # noqa: S608 - our own names
    return cursor.lastrowid


def update(database, table, key, **row):
    """Change the row whose id is `key`."""
    changes = ", ".join(f'"{name}" = ?' for name in row)
    database.execute(f'update "{table}" set {changes} where id = ?', [*row.values(), key])  # noqa: S608 - our own names


def one(database, query, *values):
    """Return the first row as a dict, None where there is none."""
    found = database.execute(query, values).fetchone()
    return dict(found) if found else None


def every(database, query, *values):
    """Return all rows as dicts."""
    return [dict(row) for row in database.execute(query, values)]
