-- Run once, when the database's volume is empty.
CREATE DATABASE mlflow_auth;
CREATE DATABASE preceptor;
