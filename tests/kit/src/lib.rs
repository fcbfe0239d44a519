//! What the stories need: a running service, its engine, real clients, deadlines instead of sleeps.
