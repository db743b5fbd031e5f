CREATE FUNCTION ledger_event_refuse() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END; $$;
CREATE TABLE gateway_decision (
    id character varying(200) NOT NULL,
    at timestamp with time zone NOT NULL,
    requested_model text NOT NULL,
    answered_by text,
    bundle text,
    probability double precision,
    threshold double precision,
    domain text,
    stakes character varying(20) NOT NULL,
    verdict character varying(40),
    reasons json NOT NULL,
    cost_usd double precision,
    latency_ms double precision NOT NULL,
    query_sha256 character varying(64) NOT NULL
);
CREATE TABLE label_answer (
    id character varying(64) NOT NULL,
    item_id character varying(200) NOT NULL,
    model character varying(200) NOT NULL,
    text text NOT NULL,
    cost_usd double precision,
    latency_ms double precision,
    names_a_model boolean NOT NULL
);
CREATE TABLE label_assignment (
    id character varying(40) NOT NULL,
    expert character varying(200) NOT NULL,
    pair_id character varying(64) NOT NULL,
    stratum character varying(450) NOT NULL,
    turn integer NOT NULL,
    side_seed bigint NOT NULL,
    swapped boolean NOT NULL,
    offered_at character varying(40) NOT NULL
);
CREATE TABLE label_dataset (
    name character varying(200) NOT NULL,
    version integer NOT NULL,
    content_sha256 character varying(64) NOT NULL,
    manifest_sha256 character varying(64) NOT NULL,
    ledger_seq integer NOT NULL,
    ledger_hash character varying(64) NOT NULL,
    frozen_by character varying(200) NOT NULL,
    frozen_at character varying(40) NOT NULL
);
CREATE TABLE label_dataset_row (
    name character varying(200) NOT NULL,
    version integer NOT NULL,
    judgement_id character varying(40) NOT NULL
);
CREATE TABLE label_expert (
    name character varying(200) NOT NULL,
    pseudonym character varying(40) NOT NULL,
    side_seed bigint NOT NULL,
    token_sha256 character varying(64),
    token_expires_at character varying(40),
    invited_at character varying(40) NOT NULL
);
CREATE TABLE label_item (
    id character varying(200) NOT NULL,
    messages text NOT NULL,
    domain character varying(200) NOT NULL,
    stakes character varying(20) NOT NULL,
    stratum character varying(200),
    group_key text,
    topic text,
    reference text,
    phi_state character varying(10) NOT NULL,
    imported_at character varying(40) NOT NULL,
    CONSTRAINT ck_label_item_phi_state CHECK (((phi_state)::text = ANY ((ARRAY['clean'::character varying, 'held'::character varying, 'cleared'::character varying])::text[])))
);
CREATE TABLE label_judgement (
    id character varying(40) NOT NULL,
    assignment_id character varying(40) NOT NULL,
    revision integer NOT NULL,
    pair_id character varying(64) NOT NULL,
    expert character varying(200) NOT NULL,
    verdict character varying(30) NOT NULL,
    first_acceptable boolean,
    second_acceptable boolean,
    swapped boolean NOT NULL,
    reason text NOT NULL,
    active_ms bigint,
    at character varying(40) NOT NULL,
    CONSTRAINT ck_label_judgement_both_acceptable_marks_both CHECK ((((verdict)::text <> 'both_acceptable'::text) OR ((first_acceptable IS TRUE) AND (second_acceptable IS TRUE)))),
    CONSTRAINT ck_label_judgement_cannot_judge_has_a_reason CHECK ((((verdict)::text <> 'cannot_judge'::text) OR (length(TRIM(BOTH FROM reason)) > 0))),
    CONSTRAINT ck_label_judgement_neither_acceptable_marks_both CHECK ((((verdict)::text <> 'neither_acceptable'::text) OR ((first_acceptable IS FALSE) AND (second_acceptable IS FALSE))))
);
CREATE TABLE label_pair (
    id character varying(64) NOT NULL,
    content_sha256 character varying(64) NOT NULL,
    item_id character varying(200) NOT NULL,
    first_answer_id character varying(64) NOT NULL,
    second_answer_id character varying(64) NOT NULL,
    weak character varying(200),
    strong character varying(200),
    CONSTRAINT ck_label_pair_canonical_order CHECK (((first_answer_id)::text < (second_answer_id)::text))
);
CREATE TABLE label_phi_finding (
    item_id character varying(200) NOT NULL,
    kind character varying(40) NOT NULL,
    n integer NOT NULL
);
CREATE TABLE label_retraction (
    judgement_id character varying(40) NOT NULL,
    at character varying(40) NOT NULL
);
CREATE TABLE label_sampling (
    item_id character varying(200) NOT NULL,
    weight double precision NOT NULL,
    inclusion_probability double precision,
    CONSTRAINT ck_label_sampling_inclusion_is_a_chance CHECK (((inclusion_probability > (0)::double precision) AND (inclusion_probability <= (1)::double precision))),
    CONSTRAINT ck_label_sampling_weight_counts CHECK ((weight > (0)::double precision))
);
CREATE TABLE ledger_event (
    seq integer NOT NULL,
    at character varying(40) NOT NULL,
    actor character varying(200) NOT NULL,
    action character varying(100) NOT NULL,
    subject character varying(400) NOT NULL,
    details text NOT NULL,
    prev_hash character varying(64) NOT NULL,
    hash character varying(64) NOT NULL
);
CREATE TABLE web_session (
    token_sha256 character varying(64) NOT NULL,
    person character varying(200) NOT NULL,
    opened_at character varying(40) NOT NULL,
    expires_at character varying(40) NOT NULL
);
INSERT INTO label_answer VALUES ('5433cffaa0f61866bfdc39355732fe9d34014f7d67a2769be499c7ec8d16acd3', 'task-0', 'large', 'M10.0 gout', 0.02, NULL, false);
INSERT INTO label_answer VALUES ('726e8fd496e2430a8dd03d5bfb075e6a9dc47004c4cac91e829c1e23084b4a7c', 'task-0', 'small', 'M10.0', 0.001, NULL, false);
INSERT INTO label_answer VALUES ('638654fa09642e9d799027d20aff60322ad0e9c3d2896b4218b8af33ef5ad47f', 'task-1', 'small', 'M10.1', 0.001, NULL, false);
INSERT INTO label_answer VALUES ('aef438651d4b2d13bd4146364091f34bfa6e02363b8d4d6e4d19e5cd638217b6', 'task-1', 'large', 'M10.1 gout', 0.02, NULL, false);
INSERT INTO label_answer VALUES ('252eff5ee57a2814232df65f6e34d8e37aba93f58443760fc00693347dcd3d67', 'task-2', 'large', 'M10.2 gout', 0.02, NULL, false);
INSERT INTO label_answer VALUES ('8ea678976a13bd2eaf78f4e336d2f52f1c5e8c341a2b8c76ebc777cdf6e5077b', 'task-2', 'small', 'M10.2', 0.001, NULL, false);
INSERT INTO label_answer VALUES ('0e72d0fabe252ff4b5bb6bc6ac8f808368948ddf1d06b441e3fbc756c98d5d33', 'task-3', 'small', 'M10.3', 0.001, NULL, false);
INSERT INTO label_answer VALUES ('8eabf60e24ff43c714860f403053ccc147bca2aca46995d06cdd3b382bbf5deb', 'task-3', 'large', 'M10.3 gout', 0.02, NULL, false);
INSERT INTO label_answer VALUES ('83e4a28db9a995300dd40d5dded66b6f92ec58b2e62b49142014d7610b71b2f2', 'task-4', 'small', 'M10.4', 0.001, NULL, false);
INSERT INTO label_answer VALUES ('94e12557ba635d585d2324907a1a56391b844db88dea86c54ebc45d41ba87511', 'task-4', 'large', 'M10.4 gout', 0.02, NULL, false);
INSERT INTO label_answer VALUES ('32f2c46777cb755978449bf9477ac6c10502e4047577dc5c8fcfc014edf0d5c3', 'task-5', 'large', 'M10.5 gout', 0.02, NULL, false);
INSERT INTO label_answer VALUES ('afa49cb5961307a7a9639337af75db49775b4b266038d2c409459ab76cae4fd4', 'task-5', 'small', 'M10.5', 0.001, NULL, false);
INSERT INTO label_assignment VALUES ('a73a60e56d80ea48a6de7813', 'Dana Ruiz', '09a5a0787220c57b0fa3a55d66a85b2d801ce7b8268285d3cfe7110650d686e7', 'coding/low', 0, 81106185913800, true, '2026-11-23T09:00:04.000+00:00');
INSERT INTO label_assignment VALUES ('9e2461d321db5a0777c05e54', 'Dana Ruiz', '206baaf6e8ee5e4019db4dce9e3fea44464221d4b5d70702fd17be3f6c8d16e3', 'coding/high', 0, 81106185913800, true, '2026-11-23T09:00:06.000+00:00');
INSERT INTO label_assignment VALUES ('c8b06eae564f791a9013ae4a', 'Dana Ruiz', 'bc8d4f270d626545aa0bce94739e4048528a7747ba6b2f7d5b33522fad3405b8', 'coding/high', 1, 81106185913800, false, '2026-11-23T09:00:08.000+00:00');
INSERT INTO label_assignment VALUES ('9f8fe0bf2d8e22d3ea2525b3', 'Lee Okafor', '09a5a0787220c57b0fa3a55d66a85b2d801ce7b8268285d3cfe7110650d686e7', 'coding/low', 0, 28205433267667, false, '2026-11-23T09:00:10.000+00:00');
INSERT INTO label_assignment VALUES ('a00785f92cb64693baf393d8', 'Lee Okafor', '206baaf6e8ee5e4019db4dce9e3fea44464221d4b5d70702fd17be3f6c8d16e3', 'coding/high', 0, 28205433267667, false, '2026-11-23T09:00:14.000+00:00');
INSERT INTO label_assignment VALUES ('c328d958fa4e2789ef392386', 'Dana Ruiz', 'dd1d1c6397a94c0794a96d19a338bd5d8301ee77844b926e2b274f9a3a170916', 'coding/low', 1, 81106185913800, false, '2026-11-23T09:00:16.000+00:00');
INSERT INTO label_dataset VALUES ('coding', 1, '79c7a2e88134225c7dc729698556a1f11fb879b224a245e4b1634bfb5c3aa7ac', '874f5e8bb0fa01c369bf0487f287f87d8067d6db3a69056563a6d14541ceb8f9', 11, '70a71b397d1f2187eb72e7bacb1c8823e8af82393b185cfb170678b3a4b275ef', 'lead', '2026-11-23T09:00:15.000+00:00');
INSERT INTO label_dataset_row VALUES ('coding', 1, '0d9aee69c6b6856c3dbb5015');
INSERT INTO label_dataset_row VALUES ('coding', 1, '881f6151585bac8d0c3a084d');
INSERT INTO label_dataset_row VALUES ('coding', 1, '89e054207e7ae1d2d0b2ed1c');
INSERT INTO label_dataset_row VALUES ('coding', 1, 'dc632a710c3ef85b8d816695');
INSERT INTO label_expert VALUES ('Dana Ruiz', 'expert_796bbd9d', 81106185913800, NULL, NULL, '2026-11-23T09:00:01.000+00:00');
INSERT INTO label_expert VALUES ('Lee Okafor', 'expert_cd09fc04', 28205433267667, '91e4c236ebe4b5a6f0c29ac6c72c1004a4dc3efdf9b3f3ba3f4730b071388da2', '2026-11-30T09:00:03.000+00:00', '2026-11-23T09:00:03.000+00:00');
INSERT INTO label_item VALUES ('task-0', '[{"content":"Code diagnosis number 0.","role":"user"}]', 'coding', 'low', NULL, NULL, NULL, NULL, 'clean', '2026-11-23T09:00:00.000+00:00');
INSERT INTO label_item VALUES ('task-1', '[{"content":"Code diagnosis number 1.","role":"user"}]', 'coding', 'high', NULL, NULL, NULL, NULL, 'clean', '2026-11-23T09:00:00.000+00:00');
INSERT INTO label_item VALUES ('task-2', '[{"content":"Code diagnosis number 2.","role":"user"}]', 'coding', 'low', NULL, NULL, NULL, NULL, 'clean', '2026-11-23T09:00:00.000+00:00');
INSERT INTO label_item VALUES ('task-3', '[{"content":"Code diagnosis number 3.","role":"user"}]', 'coding', 'high', NULL, NULL, NULL, NULL, 'clean', '2026-11-23T09:00:00.000+00:00');
INSERT INTO label_item VALUES ('task-5', '[{"content":"Code diagnosis number 5.","role":"user"}]', 'coding', 'high', NULL, NULL, NULL, NULL, 'clean', '2026-11-23T09:00:00.000+00:00');
INSERT INTO label_item VALUES ('task-4', '[{"content":"Call 555-010-2233 about gout.","role":"user"}]', 'coding', 'low', NULL, NULL, NULL, NULL, 'held', '2026-11-23T09:00:00.000+00:00');
INSERT INTO label_judgement VALUES ('89e054207e7ae1d2d0b2ed1c', 'a73a60e56d80ea48a6de7813', 0, '09a5a0787220c57b0fa3a55d66a85b2d801ce7b8268285d3cfe7110650d686e7', 'Dana Ruiz', 'second_better', false, true, true, 'B42.81 includes it', NULL, '2026-11-23T09:00:05.000+00:00');
INSERT INTO label_judgement VALUES ('881f6151585bac8d0c3a084d', '9e2461d321db5a0777c05e54', 0, '206baaf6e8ee5e4019db4dce9e3fea44464221d4b5d70702fd17be3f6c8d16e3', 'Dana Ruiz', 'both_acceptable', true, true, true, '', NULL, '2026-11-23T09:00:07.000+00:00');
INSERT INTO label_judgement VALUES ('dc632a710c3ef85b8d816695', 'c8b06eae564f791a9013ae4a', 0, 'bc8d4f270d626545aa0bce94739e4048528a7747ba6b2f7d5b33522fad3405b8', 'Dana Ruiz', 'cannot_judge', NULL, NULL, false, 'no record', NULL, '2026-11-23T09:00:09.000+00:00');
INSERT INTO label_judgement VALUES ('0d9aee69c6b6856c3dbb5015', '9f8fe0bf2d8e22d3ea2525b3', 0, '09a5a0787220c57b0fa3a55d66a85b2d801ce7b8268285d3cfe7110650d686e7', 'Lee Okafor', 'second_better', NULL, NULL, false, '', NULL, '2026-11-23T09:00:11.000+00:00');
INSERT INTO label_judgement VALUES ('112610a31926cb7453c6b74b', 'a00785f92cb64693baf393d8', 0, '206baaf6e8ee5e4019db4dce9e3fea44464221d4b5d70702fd17be3f6c8d16e3', 'Lee Okafor', 'neither_acceptable', false, false, false, '', NULL, '2026-11-23T09:00:13.000+00:00');
INSERT INTO label_pair VALUES ('09a5a0787220c57b0fa3a55d66a85b2d801ce7b8268285d3cfe7110650d686e7', '8dbc5ec5b3e6133276431d14da48fab270f9964c7085583afc1f458328faaba6', 'task-0', '5433cffaa0f61866bfdc39355732fe9d34014f7d67a2769be499c7ec8d16acd3', '726e8fd496e2430a8dd03d5bfb075e6a9dc47004c4cac91e829c1e23084b4a7c', 'small', 'large');
INSERT INTO label_pair VALUES ('206baaf6e8ee5e4019db4dce9e3fea44464221d4b5d70702fd17be3f6c8d16e3', '88750ad51195ccadb8837580711305b455538d421c8ea4a0b60b80b0202f1044', 'task-1', '638654fa09642e9d799027d20aff60322ad0e9c3d2896b4218b8af33ef5ad47f', 'aef438651d4b2d13bd4146364091f34bfa6e02363b8d4d6e4d19e5cd638217b6', 'small', 'large');
INSERT INTO label_pair VALUES ('dd1d1c6397a94c0794a96d19a338bd5d8301ee77844b926e2b274f9a3a170916', '047e407afd1d8dc02392cd5933b2aeea4972b3e44f2a68ada42903dfdac0179c', 'task-2', '252eff5ee57a2814232df65f6e34d8e37aba93f58443760fc00693347dcd3d67', '8ea678976a13bd2eaf78f4e336d2f52f1c5e8c341a2b8c76ebc777cdf6e5077b', 'small', 'large');
INSERT INTO label_pair VALUES ('dd79de871570d5e39006710f8ea46c1c77c0023ab69ea8e511533ffdc84bb798', '9d05779361d0aa1c1b043574b8c17180dac6335c6bf39a244ff657cee850859e', 'task-3', '0e72d0fabe252ff4b5bb6bc6ac8f808368948ddf1d06b441e3fbc756c98d5d33', '8eabf60e24ff43c714860f403053ccc147bca2aca46995d06cdd3b382bbf5deb', 'small', 'large');
INSERT INTO label_pair VALUES ('146bd8fe0d7951ee57f5c64da535ab58889893a18be3ccef520a245d9473f315', '774cabbb6364e68737decd3a31008aca892219eef8f49ef4afd5905fb7dbfb77', 'task-4', '83e4a28db9a995300dd40d5dded66b6f92ec58b2e62b49142014d7610b71b2f2', '94e12557ba635d585d2324907a1a56391b844db88dea86c54ebc45d41ba87511', 'small', 'large');
INSERT INTO label_pair VALUES ('bc8d4f270d626545aa0bce94739e4048528a7747ba6b2f7d5b33522fad3405b8', '146fb6fee914ef20a945e76e9837002203f968e65e015963bf4500308b96af7d', 'task-5', '32f2c46777cb755978449bf9477ac6c10502e4047577dc5c8fcfc014edf0d5c3', 'afa49cb5961307a7a9639337af75db49775b4b266038d2c409459ab76cae4fd4', 'small', 'large');
INSERT INTO label_phi_finding VALUES ('task-4', 'phone', 1);
INSERT INTO label_retraction VALUES ('112610a31926cb7453c6b74b', '2026-11-23T09:00:14.000+00:00');
INSERT INTO label_sampling VALUES ('task-1', 2, 0.5);
INSERT INTO ledger_event VALUES (1, '2026-11-23T09:00:00.000+00:00', 'lead', 'item.import', 'sha256:c48709ef0158c5b619c254228918148c212063622319c99cd586ea37d12ad781', '{"held":1,"pairs":6,"rows":6}', '0000000000000000000000000000000000000000000000000000000000000000', '827b993747f60b9010cb7ebfd168032228a1a1896b3838dd779a3f1d3f4818d3');
INSERT INTO ledger_event VALUES (2, '2026-11-23T09:00:01.000+00:00', 'lead', 'expert.invite', 'Dana Ruiz', '{"new":true}', '827b993747f60b9010cb7ebfd168032228a1a1896b3838dd779a3f1d3f4818d3', 'd528ee85c5681dbd670d0e6eedcb307ad65989535bec8f047618c4f7ef89ec93');
INSERT INTO ledger_event VALUES (3, '2026-11-23T09:00:02.000+00:00', 'Dana Ruiz', 'login.ok', 'Dana Ruiz', '{"by":"access token"}', 'd528ee85c5681dbd670d0e6eedcb307ad65989535bec8f047618c4f7ef89ec93', '4bb8c91907f2f75d1842e20990d964717838e553328fe54030d304dbc8e4cc88');
INSERT INTO ledger_event VALUES (4, '2026-11-23T09:00:03.000+00:00', 'lead', 'expert.invite', 'Lee Okafor', '{"new":true}', '4bb8c91907f2f75d1842e20990d964717838e553328fe54030d304dbc8e4cc88', '316126b9568fbc0f2c595bfcaf566f751d41e30ca1861aca87d926598e6b1628');
INSERT INTO ledger_event VALUES (5, '2026-11-23T09:00:05.000+00:00', 'Dana Ruiz', 'judge.submit', '89e054207e7ae1d2d0b2ed1c', '{"first_acceptable":false,"pair":"09a5a0787220c57b0fa3a55d66a85b2d801ce7b8268285d3cfe7110650d686e7","second_acceptable":true,"swapped":true,"verdict":"second_better"}', '316126b9568fbc0f2c595bfcaf566f751d41e30ca1861aca87d926598e6b1628', 'a24f64b33bff7e55319b7c42fa0df3f90ff3b422f6084a793ecc3c0df81d2d3d');
INSERT INTO ledger_event VALUES (6, '2026-11-23T09:00:07.000+00:00', 'Dana Ruiz', 'judge.submit', '881f6151585bac8d0c3a084d', '{"first_acceptable":true,"pair":"206baaf6e8ee5e4019db4dce9e3fea44464221d4b5d70702fd17be3f6c8d16e3","second_acceptable":true,"swapped":true,"verdict":"both_acceptable"}', 'a24f64b33bff7e55319b7c42fa0df3f90ff3b422f6084a793ecc3c0df81d2d3d', 'ded5157c5b6f5d12c703c8c6835b121982668c41c6e704e1f44c93ee2759bba8');
INSERT INTO ledger_event VALUES (7, '2026-11-23T09:00:09.000+00:00', 'Dana Ruiz', 'judge.submit', 'dc632a710c3ef85b8d816695', '{"first_acceptable":null,"pair":"bc8d4f270d626545aa0bce94739e4048528a7747ba6b2f7d5b33522fad3405b8","second_acceptable":null,"swapped":false,"verdict":"cannot_judge"}', 'ded5157c5b6f5d12c703c8c6835b121982668c41c6e704e1f44c93ee2759bba8', 'bfdfaf0567bd223cb3ca2846d83878f22d2518cefd53cf25c2f1665f338baa76');
INSERT INTO ledger_event VALUES (8, '2026-11-23T09:00:11.000+00:00', 'Lee Okafor', 'judge.submit', '0d9aee69c6b6856c3dbb5015', '{"first_acceptable":null,"pair":"09a5a0787220c57b0fa3a55d66a85b2d801ce7b8268285d3cfe7110650d686e7","second_acceptable":null,"swapped":false,"verdict":"second_better"}', 'bfdfaf0567bd223cb3ca2846d83878f22d2518cefd53cf25c2f1665f338baa76', '3d592887aa17c7aeb0cd6cc1ee3e9d59e67a4154ad9c42b459491693dfdc9351');
INSERT INTO ledger_event VALUES (9, '2026-11-23T09:00:13.000+00:00', 'Lee Okafor', 'judge.submit', '112610a31926cb7453c6b74b', '{"first_acceptable":false,"pair":"206baaf6e8ee5e4019db4dce9e3fea44464221d4b5d70702fd17be3f6c8d16e3","second_acceptable":false,"swapped":false,"verdict":"neither_acceptable"}', '3d592887aa17c7aeb0cd6cc1ee3e9d59e67a4154ad9c42b459491693dfdc9351', '4f7f5f02893b87f63615589e11204cb05070a56afb11984c47d7bcc262c9baee');
INSERT INTO ledger_event VALUES (10, '2026-11-23T09:00:14.000+00:00', 'Lee Okafor', 'judge.retract', '112610a31926cb7453c6b74b', '{"pair":"206baaf6e8ee5e4019db4dce9e3fea44464221d4b5d70702fd17be3f6c8d16e3"}', '4f7f5f02893b87f63615589e11204cb05070a56afb11984c47d7bcc262c9baee', 'c153b039585752f44487eb022cd06229c26abcaefa0066c69cc1643b41cad766');
INSERT INTO ledger_event VALUES (11, '2026-11-23T09:00:15.000+00:00', 'lead', 'dataset.freeze', 'coding@1', '{"content":"79c7a2e88134225c7dc729698556a1f11fb879b224a245e4b1634bfb5c3aa7ac","judgements":4}', 'c153b039585752f44487eb022cd06229c26abcaefa0066c69cc1643b41cad766', '70a71b397d1f2187eb72e7bacb1c8823e8af82393b185cfb170678b3a4b275ef');
INSERT INTO web_session VALUES ('1eb6c42d3a770413256375306c89b08b184310975d68d9f3cdc80cea02c7ae51', 'Dana Ruiz', '2026-11-23T09:00:02.000+00:00', '2026-11-23T21:00:02.000+00:00');
ALTER TABLE ONLY gateway_decision
    ADD CONSTRAINT pk_gateway_decision PRIMARY KEY (id);
ALTER TABLE ONLY label_answer
    ADD CONSTRAINT pk_label_answer PRIMARY KEY (id);
ALTER TABLE ONLY label_assignment
    ADD CONSTRAINT pk_label_assignment PRIMARY KEY (id);
ALTER TABLE ONLY label_dataset
    ADD CONSTRAINT pk_label_dataset PRIMARY KEY (name, version);
ALTER TABLE ONLY label_dataset_row
    ADD CONSTRAINT pk_label_dataset_row PRIMARY KEY (name, version, judgement_id);
ALTER TABLE ONLY label_expert
    ADD CONSTRAINT pk_label_expert PRIMARY KEY (name);
ALTER TABLE ONLY label_item
    ADD CONSTRAINT pk_label_item PRIMARY KEY (id);
ALTER TABLE ONLY label_judgement
    ADD CONSTRAINT pk_label_judgement PRIMARY KEY (id);
ALTER TABLE ONLY label_pair
    ADD CONSTRAINT pk_label_pair PRIMARY KEY (id);
ALTER TABLE ONLY label_phi_finding
    ADD CONSTRAINT pk_label_phi_finding PRIMARY KEY (item_id, kind);
ALTER TABLE ONLY label_retraction
    ADD CONSTRAINT pk_label_retraction PRIMARY KEY (judgement_id);
ALTER TABLE ONLY label_sampling
    ADD CONSTRAINT pk_label_sampling PRIMARY KEY (item_id);
ALTER TABLE ONLY ledger_event
    ADD CONSTRAINT pk_ledger_event PRIMARY KEY (seq);
ALTER TABLE ONLY web_session
    ADD CONSTRAINT pk_web_session PRIMARY KEY (token_sha256);
ALTER TABLE ONLY label_answer
    ADD CONSTRAINT uq_label_answer_item_id UNIQUE (item_id, model);
ALTER TABLE ONLY label_assignment
    ADD CONSTRAINT uq_label_assignment_expert UNIQUE (expert, pair_id);
ALTER TABLE ONLY label_expert
    ADD CONSTRAINT uq_label_expert_pseudonym UNIQUE (pseudonym);
ALTER TABLE ONLY label_expert
    ADD CONSTRAINT uq_label_expert_token_sha256 UNIQUE (token_sha256);
ALTER TABLE ONLY label_judgement
    ADD CONSTRAINT uq_label_judgement_assignment_id UNIQUE (assignment_id, revision);
ALTER TABLE ONLY label_pair
    ADD CONSTRAINT uq_label_pair_content_sha256 UNIQUE (content_sha256);
ALTER TABLE ONLY ledger_event
    ADD CONSTRAINT uq_ledger_event_hash UNIQUE (hash);
ALTER TABLE ONLY ledger_event
    ADD CONSTRAINT uq_ledger_event_prev_hash UNIQUE (prev_hash);
CREATE INDEX ix_gateway_decision_at ON gateway_decision USING btree (at);
CREATE INDEX ix_label_assignment_pair_id ON label_assignment USING btree (pair_id);
CREATE INDEX ix_label_item_phi_state ON label_item USING btree (phi_state);
CREATE INDEX ix_label_judgement_expert ON label_judgement USING btree (expert);
CREATE INDEX ix_label_judgement_pair_id ON label_judgement USING btree (pair_id);
CREATE INDEX ix_label_pair_item_id ON label_pair USING btree (item_id);
CREATE INDEX ix_ledger_event_action ON ledger_event USING btree (action);
CREATE INDEX ix_ledger_event_subject ON ledger_event USING btree (subject);
CREATE INDEX ix_web_session_person ON web_session USING btree (person);
CREATE TRIGGER ledger_event_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger_event FOR EACH STATEMENT EXECUTE FUNCTION ledger_event_refuse();
ALTER TABLE ONLY label_answer
    ADD CONSTRAINT fk_label_answer_item_id_label_item FOREIGN KEY (item_id) REFERENCES label_item(id);
ALTER TABLE ONLY label_assignment
    ADD CONSTRAINT fk_label_assignment_expert_label_expert FOREIGN KEY (expert) REFERENCES label_expert(name);
ALTER TABLE ONLY label_assignment
    ADD CONSTRAINT fk_label_assignment_pair_id_label_pair FOREIGN KEY (pair_id) REFERENCES label_pair(id);
ALTER TABLE ONLY label_dataset_row
    ADD CONSTRAINT fk_label_dataset_row_judgement_id_label_judgement FOREIGN KEY (judgement_id) REFERENCES label_judgement(id);
ALTER TABLE ONLY label_dataset_row
    ADD CONSTRAINT fk_label_dataset_row_name_label_dataset FOREIGN KEY (name, version) REFERENCES label_dataset(name, version);
ALTER TABLE ONLY label_judgement
    ADD CONSTRAINT fk_label_judgement_assignment_id_label_assignment FOREIGN KEY (assignment_id) REFERENCES label_assignment(id);
ALTER TABLE ONLY label_judgement
    ADD CONSTRAINT fk_label_judgement_expert_label_expert FOREIGN KEY (expert) REFERENCES label_expert(name);
ALTER TABLE ONLY label_judgement
    ADD CONSTRAINT fk_label_judgement_pair_id_label_pair FOREIGN KEY (pair_id) REFERENCES label_pair(id);
ALTER TABLE ONLY label_pair
    ADD CONSTRAINT fk_label_pair_first_answer_id_label_answer FOREIGN KEY (first_answer_id) REFERENCES label_answer(id);
ALTER TABLE ONLY label_pair
    ADD CONSTRAINT fk_label_pair_item_id_label_item FOREIGN KEY (item_id) REFERENCES label_item(id);
ALTER TABLE ONLY label_pair
    ADD CONSTRAINT fk_label_pair_second_answer_id_label_answer FOREIGN KEY (second_answer_id) REFERENCES label_answer(id);
ALTER TABLE ONLY label_phi_finding
    ADD CONSTRAINT fk_label_phi_finding_item_id_label_item FOREIGN KEY (item_id) REFERENCES label_item(id);
ALTER TABLE ONLY label_retraction
    ADD CONSTRAINT fk_label_retraction_judgement_id_label_judgement FOREIGN KEY (judgement_id) REFERENCES label_judgement(id);
ALTER TABLE ONLY label_sampling
    ADD CONSTRAINT fk_label_sampling_item_id_label_item FOREIGN KEY (item_id) REFERENCES label_item(id);
