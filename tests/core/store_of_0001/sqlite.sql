BEGIN TRANSACTION;
CREATE TABLE gateway_decision (
	id VARCHAR(200) NOT NULL, 
	at DATETIME NOT NULL, 
	requested_model TEXT NOT NULL, 
	answered_by TEXT, 
	bundle TEXT, 
	probability FLOAT, 
	threshold FLOAT, 
	domain TEXT, 
	stakes VARCHAR(20) NOT NULL, 
	verdict VARCHAR(40), 
	reasons JSON NOT NULL, 
	cost_usd FLOAT, 
	latency_ms FLOAT NOT NULL, 
	query_sha256 VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_gateway_decision PRIMARY KEY (id)
);
CREATE TABLE label_answer (
	id VARCHAR(64) NOT NULL, 
	item_id VARCHAR(200) NOT NULL, 
	model VARCHAR(200) NOT NULL, 
	text TEXT NOT NULL, 
	cost_usd FLOAT, 
	latency_ms FLOAT, 
	names_a_model BOOLEAN NOT NULL, 
	CONSTRAINT pk_label_answer PRIMARY KEY (id), 
	CONSTRAINT uq_label_answer_item_id UNIQUE (item_id, model), 
	CONSTRAINT fk_label_answer_item_id_label_item FOREIGN KEY(item_id) REFERENCES label_item (id)
);
INSERT INTO "label_answer" VALUES('5433cffaa0f61866bfdc39355732fe9d34014f7d67a2769be499c7ec8d16acd3','task-0','large','M10.0 gout',0.02,NULL,0);
INSERT INTO "label_answer" VALUES('726e8fd496e2430a8dd03d5bfb075e6a9dc47004c4cac91e829c1e23084b4a7c','task-0','small','M10.0',0.001,NULL,0);
INSERT INTO "label_answer" VALUES('638654fa09642e9d799027d20aff60322ad0e9c3d2896b4218b8af33ef5ad47f','task-1','small','M10.1',0.001,NULL,0);
INSERT INTO "label_answer" VALUES('aef438651d4b2d13bd4146364091f34bfa6e02363b8d4d6e4d19e5cd638217b6','task-1','large','M10.1 gout',0.02,NULL,0);
INSERT INTO "label_answer" VALUES('252eff5ee57a2814232df65f6e34d8e37aba93f58443760fc00693347dcd3d67','task-2','large','M10.2 gout',0.02,NULL,0);
INSERT INTO "label_answer" VALUES('8ea678976a13bd2eaf78f4e336d2f52f1c5e8c341a2b8c76ebc777cdf6e5077b','task-2','small','M10.2',0.001,NULL,0);
INSERT INTO "label_answer" VALUES('0e72d0fabe252ff4b5bb6bc6ac8f808368948ddf1d06b441e3fbc756c98d5d33','task-3','small','M10.3',0.001,NULL,0);
INSERT INTO "label_answer" VALUES('8eabf60e24ff43c714860f403053ccc147bca2aca46995d06cdd3b382bbf5deb','task-3','large','M10.3 gout',0.02,NULL,0);
INSERT INTO "label_answer" VALUES('83e4a28db9a995300dd40d5dded66b6f92ec58b2e62b49142014d7610b71b2f2','task-4','small','M10.4',0.001,NULL,0);
INSERT INTO "label_answer" VALUES('94e12557ba635d585d2324907a1a56391b844db88dea86c54ebc45d41ba87511','task-4','large','M10.4 gout',0.02,NULL,0);
INSERT INTO "label_answer" VALUES('32f2c46777cb755978449bf9477ac6c10502e4047577dc5c8fcfc014edf0d5c3','task-5','large','M10.5 gout',0.02,NULL,0);
INSERT INTO "label_answer" VALUES('afa49cb5961307a7a9639337af75db49775b4b266038d2c409459ab76cae4fd4','task-5','small','M10.5',0.001,NULL,0);
CREATE TABLE label_assignment (
	id VARCHAR(40) NOT NULL, 
	expert VARCHAR(200) NOT NULL, 
	pair_id VARCHAR(64) NOT NULL, 
	stratum VARCHAR(450) NOT NULL, 
	turn INTEGER NOT NULL, 
	side_seed BIGINT NOT NULL, 
	swapped BOOLEAN NOT NULL, 
	offered_at VARCHAR(40) NOT NULL, 
	CONSTRAINT pk_label_assignment PRIMARY KEY (id), 
	CONSTRAINT uq_label_assignment_expert UNIQUE (expert, pair_id), 
	CONSTRAINT fk_label_assignment_expert_label_expert FOREIGN KEY(expert) REFERENCES label_expert (name), 
	CONSTRAINT fk_label_assignment_pair_id_label_pair FOREIGN KEY(pair_id) REFERENCES label_pair (id)
);
INSERT INTO "label_assignment" VALUES('c5b137029d0d91bfc6c67b7e','Dana Ruiz','09a5a0787220c57b0fa3a55d66a85b2d801ce7b8268285d3cfe7110650d686e7','coding/low',0,196481925222625,1,'2026-11-23T09:00:04.000+00:00');
INSERT INTO "label_assignment" VALUES('e58a50ccd5e268452193f1bd','Dana Ruiz','206baaf6e8ee5e4019db4dce9e3fea44464221d4b5d70702fd17be3f6c8d16e3','coding/high',0,196481925222625,0,'2026-11-23T09:00:06.000+00:00');
INSERT INTO "label_assignment" VALUES('b5908954e88597d8d707aaf3','Dana Ruiz','bc8d4f270d626545aa0bce94739e4048528a7747ba6b2f7d5b33522fad3405b8','coding/high',1,196481925222625,1,'2026-11-23T09:00:08.000+00:00');
INSERT INTO "label_assignment" VALUES('3abadf2d47d5cb7f0a9d7eb2','Lee Okafor','09a5a0787220c57b0fa3a55d66a85b2d801ce7b8268285d3cfe7110650d686e7','coding/low',0,228033157464620,0,'2026-11-23T09:00:10.000+00:00');
INSERT INTO "label_assignment" VALUES('66c61e0aeb4bf8416df792f1','Lee Okafor','206baaf6e8ee5e4019db4dce9e3fea44464221d4b5d70702fd17be3f6c8d16e3','coding/high',0,228033157464620,0,'2026-11-23T09:00:14.000+00:00');
INSERT INTO "label_assignment" VALUES('436e5b84bc7b954b46cd8b1a','Dana Ruiz','dd1d1c6397a94c0794a96d19a338bd5d8301ee77844b926e2b274f9a3a170916','coding/low',1,196481925222625,1,'2026-11-23T09:00:16.000+00:00');
CREATE TABLE label_dataset (
	name VARCHAR(200) NOT NULL, 
	version INTEGER NOT NULL, 
	content_sha256 VARCHAR(64) NOT NULL, 
	manifest_sha256 VARCHAR(64) NOT NULL, 
	ledger_seq INTEGER NOT NULL, 
	ledger_hash VARCHAR(64) NOT NULL, 
	frozen_by VARCHAR(200) NOT NULL, 
	frozen_at VARCHAR(40) NOT NULL, 
	CONSTRAINT pk_label_dataset PRIMARY KEY (name, version)
);
INSERT INTO "label_dataset" VALUES('coding',1,'8fa6135609f3198eab5e392692908e40e51ec2cfc1837dd88c7b2c9260cfdd8b','0d9c0df664d3b5c23b04dc3b3b70c1d850c2922b4dc80f42ea5b153f4d629e6d',11,'c963480581cdc4638e8e9731e11cba2dc7aa8944127fe7279900ce7bbe6b148c','lead','2026-11-23T09:00:15.000+00:00');
CREATE TABLE label_dataset_row (
	name VARCHAR(200) NOT NULL, 
	version INTEGER NOT NULL, 
	judgement_id VARCHAR(40) NOT NULL, 
	CONSTRAINT pk_label_dataset_row PRIMARY KEY (name, version, judgement_id), 
	CONSTRAINT fk_label_dataset_row_name_label_dataset FOREIGN KEY(name, version) REFERENCES label_dataset (name, version), 
	CONSTRAINT fk_label_dataset_row_judgement_id_label_judgement FOREIGN KEY(judgement_id) REFERENCES label_judgement (id)
);
INSERT INTO "label_dataset_row" VALUES('coding',1,'30dae524e489cc892946260e');
INSERT INTO "label_dataset_row" VALUES('coding',1,'b6fbccdd361f6a15cfeabdb4');
INSERT INTO "label_dataset_row" VALUES('coding',1,'dcb247d42afae716db9aab47');
INSERT INTO "label_dataset_row" VALUES('coding',1,'f67d0d88b23bb8d6ec3c83b6');
CREATE TABLE label_expert (
	name VARCHAR(200) NOT NULL, 
	pseudonym VARCHAR(40) NOT NULL, 
	side_seed BIGINT NOT NULL, 
	token_sha256 VARCHAR(64), 
	token_expires_at VARCHAR(40), 
	invited_at VARCHAR(40) NOT NULL, 
	CONSTRAINT pk_label_expert PRIMARY KEY (name), 
	CONSTRAINT uq_label_expert_pseudonym UNIQUE (pseudonym), 
	CONSTRAINT uq_label_expert_token_sha256 UNIQUE (token_sha256)
);
INSERT INTO "label_expert" VALUES('Dana Ruiz','expert_35fef2b9',196481925222625,NULL,NULL,'2026-11-23T09:00:01.000+00:00');
INSERT INTO "label_expert" VALUES('Lee Okafor','expert_07718115',228033157464620,'f47ab19b0b7f9a5c934f66f7955ebce031e5aca2f53869b1c444f3b36366cdcb','2026-11-30T09:00:03.000+00:00','2026-11-23T09:00:03.000+00:00');
CREATE TABLE label_item (
	id VARCHAR(200) NOT NULL, 
	messages TEXT NOT NULL, 
	domain VARCHAR(200) NOT NULL, 
	stakes VARCHAR(20) NOT NULL, 
	stratum VARCHAR(200), 
	group_key TEXT, 
	topic TEXT, 
	reference TEXT, 
	phi_state VARCHAR(10) NOT NULL, 
	imported_at VARCHAR(40) NOT NULL, 
	CONSTRAINT pk_label_item PRIMARY KEY (id), 
	CONSTRAINT ck_label_item_phi_state CHECK (phi_state IN ('clean', 'held', 'cleared'))
);
INSERT INTO "label_item" VALUES('task-0','[{"content":"Code diagnosis number 0.","role":"user"}]','coding','low',NULL,NULL,NULL,NULL,'clean','2026-11-23T09:00:00.000+00:00');
INSERT INTO "label_item" VALUES('task-1','[{"content":"Code diagnosis number 1.","role":"user"}]','coding','high',NULL,NULL,NULL,NULL,'clean','2026-11-23T09:00:00.000+00:00');
INSERT INTO "label_item" VALUES('task-2','[{"content":"Code diagnosis number 2.","role":"user"}]','coding','low',NULL,NULL,NULL,NULL,'clean','2026-11-23T09:00:00.000+00:00');
INSERT INTO "label_item" VALUES('task-3','[{"content":"Code diagnosis number 3.","role":"user"}]','coding','high',NULL,NULL,NULL,NULL,'clean','2026-11-23T09:00:00.000+00:00');
INSERT INTO "label_item" VALUES('task-4','[{"content":"Call 555-010-2233 about gout.","role":"user"}]','coding','low',NULL,NULL,NULL,NULL,'held','2026-11-23T09:00:00.000+00:00');
INSERT INTO "label_item" VALUES('task-5','[{"content":"Code diagnosis number 5.","role":"user"}]','coding','high',NULL,NULL,NULL,NULL,'clean','2026-11-23T09:00:00.000+00:00');
CREATE TABLE label_judgement (
	id VARCHAR(40) NOT NULL, 
	assignment_id VARCHAR(40) NOT NULL, 
	revision INTEGER NOT NULL, 
	pair_id VARCHAR(64) NOT NULL, 
	expert VARCHAR(200) NOT NULL, 
	verdict VARCHAR(30) NOT NULL, 
	first_acceptable BOOLEAN, 
	second_acceptable BOOLEAN, 
	swapped BOOLEAN NOT NULL, 
	reason TEXT NOT NULL, 
	active_ms BIGINT, 
	at VARCHAR(40) NOT NULL, 
	CONSTRAINT pk_label_judgement PRIMARY KEY (id), 
	CONSTRAINT uq_label_judgement_assignment_id UNIQUE (assignment_id, revision), 
	CONSTRAINT ck_label_judgement_cannot_judge_has_a_reason CHECK (verdict <> 'cannot_judge' OR length(trim(reason)) > 0), 
	CONSTRAINT ck_label_judgement_both_acceptable_marks_both CHECK (verdict <> 'both_acceptable' OR (first_acceptable IS TRUE AND second_acceptable IS TRUE)), 
	CONSTRAINT ck_label_judgement_neither_acceptable_marks_both CHECK (verdict <> 'neither_acceptable' OR (first_acceptable IS FALSE AND second_acceptable IS FALSE)), 
	CONSTRAINT fk_label_judgement_assignment_id_label_assignment FOREIGN KEY(assignment_id) REFERENCES label_assignment (id), 
	CONSTRAINT fk_label_judgement_pair_id_label_pair FOREIGN KEY(pair_id) REFERENCES label_pair (id), 
	CONSTRAINT fk_label_judgement_expert_label_expert FOREIGN KEY(expert) REFERENCES label_expert (name)
);
INSERT INTO "label_judgement" VALUES('b6fbccdd361f6a15cfeabdb4','c5b137029d0d91bfc6c67b7e',0,'09a5a0787220c57b0fa3a55d66a85b2d801ce7b8268285d3cfe7110650d686e7','Dana Ruiz','second_better',0,1,1,'B42.81 includes it',NULL,'2026-11-23T09:00:05.000+00:00');
INSERT INTO "label_judgement" VALUES('30dae524e489cc892946260e','e58a50ccd5e268452193f1bd',0,'206baaf6e8ee5e4019db4dce9e3fea44464221d4b5d70702fd17be3f6c8d16e3','Dana Ruiz','both_acceptable',1,1,0,'',NULL,'2026-11-23T09:00:07.000+00:00');
INSERT INTO "label_judgement" VALUES('f67d0d88b23bb8d6ec3c83b6','b5908954e88597d8d707aaf3',0,'bc8d4f270d626545aa0bce94739e4048528a7747ba6b2f7d5b33522fad3405b8','Dana Ruiz','cannot_judge',NULL,NULL,1,'no record',NULL,'2026-11-23T09:00:09.000+00:00');
INSERT INTO "label_judgement" VALUES('dcb247d42afae716db9aab47','3abadf2d47d5cb7f0a9d7eb2',0,'09a5a0787220c57b0fa3a55d66a85b2d801ce7b8268285d3cfe7110650d686e7','Lee Okafor','second_better',NULL,NULL,0,'',NULL,'2026-11-23T09:00:11.000+00:00');
INSERT INTO "label_judgement" VALUES('d99188736940c0e11640c82d','66c61e0aeb4bf8416df792f1',0,'206baaf6e8ee5e4019db4dce9e3fea44464221d4b5d70702fd17be3f6c8d16e3','Lee Okafor','neither_acceptable',0,0,0,'',NULL,'2026-11-23T09:00:13.000+00:00');
CREATE TABLE label_pair (
	id VARCHAR(64) NOT NULL, 
	content_sha256 VARCHAR(64) NOT NULL, 
	item_id VARCHAR(200) NOT NULL, 
	first_answer_id VARCHAR(64) NOT NULL, 
	second_answer_id VARCHAR(64) NOT NULL, 
	weak VARCHAR(200), 
	strong VARCHAR(200), 
	CONSTRAINT pk_label_pair PRIMARY KEY (id), 
	CONSTRAINT ck_label_pair_canonical_order CHECK (first_answer_id < second_answer_id), 
	CONSTRAINT uq_label_pair_content_sha256 UNIQUE (content_sha256), 
	CONSTRAINT fk_label_pair_item_id_label_item FOREIGN KEY(item_id) REFERENCES label_item (id), 
	CONSTRAINT fk_label_pair_first_answer_id_label_answer FOREIGN KEY(first_answer_id) REFERENCES label_answer (id), 
	CONSTRAINT fk_label_pair_second_answer_id_label_answer FOREIGN KEY(second_answer_id) REFERENCES label_answer (id)
);
INSERT INTO "label_pair" VALUES('09a5a0787220c57b0fa3a55d66a85b2d801ce7b8268285d3cfe7110650d686e7','8dbc5ec5b3e6133276431d14da48fab270f9964c7085583afc1f458328faaba6','task-0','5433cffaa0f61866bfdc39355732fe9d34014f7d67a2769be499c7ec8d16acd3','726e8fd496e2430a8dd03d5bfb075e6a9dc47004c4cac91e829c1e23084b4a7c','small','large');
INSERT INTO "label_pair" VALUES('206baaf6e8ee5e4019db4dce9e3fea44464221d4b5d70702fd17be3f6c8d16e3','88750ad51195ccadb8837580711305b455538d421c8ea4a0b60b80b0202f1044','task-1','638654fa09642e9d799027d20aff60322ad0e9c3d2896b4218b8af33ef5ad47f','aef438651d4b2d13bd4146364091f34bfa6e02363b8d4d6e4d19e5cd638217b6','small','large');
INSERT INTO "label_pair" VALUES('dd1d1c6397a94c0794a96d19a338bd5d8301ee77844b926e2b274f9a3a170916','047e407afd1d8dc02392cd5933b2aeea4972b3e44f2a68ada42903dfdac0179c','task-2','252eff5ee57a2814232df65f6e34d8e37aba93f58443760fc00693347dcd3d67','8ea678976a13bd2eaf78f4e336d2f52f1c5e8c341a2b8c76ebc777cdf6e5077b','small','large');
INSERT INTO "label_pair" VALUES('dd79de871570d5e39006710f8ea46c1c77c0023ab69ea8e511533ffdc84bb798','9d05779361d0aa1c1b043574b8c17180dac6335c6bf39a244ff657cee850859e','task-3','0e72d0fabe252ff4b5bb6bc6ac8f808368948ddf1d06b441e3fbc756c98d5d33','8eabf60e24ff43c714860f403053ccc147bca2aca46995d06cdd3b382bbf5deb','small','large');
INSERT INTO "label_pair" VALUES('146bd8fe0d7951ee57f5c64da535ab58889893a18be3ccef520a245d9473f315','774cabbb6364e68737decd3a31008aca892219eef8f49ef4afd5905fb7dbfb77','task-4','83e4a28db9a995300dd40d5dded66b6f92ec58b2e62b49142014d7610b71b2f2','94e12557ba635d585d2324907a1a56391b844db88dea86c54ebc45d41ba87511','small','large');
INSERT INTO "label_pair" VALUES('bc8d4f270d626545aa0bce94739e4048528a7747ba6b2f7d5b33522fad3405b8','146fb6fee914ef20a945e76e9837002203f968e65e015963bf4500308b96af7d','task-5','32f2c46777cb755978449bf9477ac6c10502e4047577dc5c8fcfc014edf0d5c3','afa49cb5961307a7a9639337af75db49775b4b266038d2c409459ab76cae4fd4','small','large');
CREATE TABLE label_phi_finding (
	item_id VARCHAR(200) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	n INTEGER NOT NULL, 
	CONSTRAINT pk_label_phi_finding PRIMARY KEY (item_id, kind), 
	CONSTRAINT fk_label_phi_finding_item_id_label_item FOREIGN KEY(item_id) REFERENCES label_item (id)
);
INSERT INTO "label_phi_finding" VALUES('task-4','phone',1);
CREATE TABLE label_retraction (
	judgement_id VARCHAR(40) NOT NULL, 
	at VARCHAR(40) NOT NULL, 
	CONSTRAINT pk_label_retraction PRIMARY KEY (judgement_id), 
	CONSTRAINT fk_label_retraction_judgement_id_label_judgement FOREIGN KEY(judgement_id) REFERENCES label_judgement (id)
);
INSERT INTO "label_retraction" VALUES('d99188736940c0e11640c82d','2026-11-23T09:00:14.000+00:00');
CREATE TABLE label_sampling (
	item_id VARCHAR(200) NOT NULL, 
	weight FLOAT NOT NULL, 
	inclusion_probability FLOAT, 
	CONSTRAINT pk_label_sampling PRIMARY KEY (item_id), 
	CONSTRAINT ck_label_sampling_weight_counts CHECK (weight > 0), 
	CONSTRAINT ck_label_sampling_inclusion_is_a_chance CHECK (inclusion_probability > 0 AND inclusion_probability <= 1), 
	CONSTRAINT fk_label_sampling_item_id_label_item FOREIGN KEY(item_id) REFERENCES label_item (id)
);
INSERT INTO "label_sampling" VALUES('task-1',2.0,0.5);
CREATE TABLE ledger_event (
	seq INTEGER NOT NULL, 
	at VARCHAR(40) NOT NULL, 
	actor VARCHAR(200) NOT NULL, 
	action VARCHAR(100) NOT NULL, 
	subject VARCHAR(400) NOT NULL, 
	details TEXT NOT NULL, 
	prev_hash VARCHAR(64) NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_ledger_event PRIMARY KEY (seq), 
	CONSTRAINT uq_ledger_event_prev_hash UNIQUE (prev_hash), 
	CONSTRAINT uq_ledger_event_hash UNIQUE (hash)
);
INSERT INTO "ledger_event" VALUES(1,'2026-11-23T09:00:00.000+00:00','lead','item.import','sha256:c48709ef0158c5b619c254228918148c212063622319c99cd586ea37d12ad781','{"held":1,"pairs":6,"rows":6}','0000000000000000000000000000000000000000000000000000000000000000','827b993747f60b9010cb7ebfd168032228a1a1896b3838dd779a3f1d3f4818d3');
INSERT INTO "ledger_event" VALUES(2,'2026-11-23T09:00:01.000+00:00','lead','expert.invite','Dana Ruiz','{"new":true}','827b993747f60b9010cb7ebfd168032228a1a1896b3838dd779a3f1d3f4818d3','d528ee85c5681dbd670d0e6eedcb307ad65989535bec8f047618c4f7ef89ec93');
INSERT INTO "ledger_event" VALUES(3,'2026-11-23T09:00:02.000+00:00','Dana Ruiz','login.ok','Dana Ruiz','{"by":"access token"}','d528ee85c5681dbd670d0e6eedcb307ad65989535bec8f047618c4f7ef89ec93','4bb8c91907f2f75d1842e20990d964717838e553328fe54030d304dbc8e4cc88');
INSERT INTO "ledger_event" VALUES(4,'2026-11-23T09:00:03.000+00:00','lead','expert.invite','Lee Okafor','{"new":true}','4bb8c91907f2f75d1842e20990d964717838e553328fe54030d304dbc8e4cc88','316126b9568fbc0f2c595bfcaf566f751d41e30ca1861aca87d926598e6b1628');
INSERT INTO "ledger_event" VALUES(5,'2026-11-23T09:00:05.000+00:00','Dana Ruiz','judge.submit','b6fbccdd361f6a15cfeabdb4','{"first_acceptable":false,"pair":"09a5a0787220c57b0fa3a55d66a85b2d801ce7b8268285d3cfe7110650d686e7","second_acceptable":true,"swapped":true,"verdict":"second_better"}','316126b9568fbc0f2c595bfcaf566f751d41e30ca1861aca87d926598e6b1628','27200c53c561c342591dc3bcb1f550c8881fb7b3c65c4cd9e971332fb1673912');
INSERT INTO "ledger_event" VALUES(6,'2026-11-23T09:00:07.000+00:00','Dana Ruiz','judge.submit','30dae524e489cc892946260e','{"first_acceptable":true,"pair":"206baaf6e8ee5e4019db4dce9e3fea44464221d4b5d70702fd17be3f6c8d16e3","second_acceptable":true,"swapped":false,"verdict":"both_acceptable"}','27200c53c561c342591dc3bcb1f550c8881fb7b3c65c4cd9e971332fb1673912','6c89849617a9bff41afec4cfa76bdb249b315365816f9eacf6a8e51840be0d2e');
INSERT INTO "ledger_event" VALUES(7,'2026-11-23T09:00:09.000+00:00','Dana Ruiz','judge.submit','f67d0d88b23bb8d6ec3c83b6','{"first_acceptable":null,"pair":"bc8d4f270d626545aa0bce94739e4048528a7747ba6b2f7d5b33522fad3405b8","second_acceptable":null,"swapped":true,"verdict":"cannot_judge"}','6c89849617a9bff41afec4cfa76bdb249b315365816f9eacf6a8e51840be0d2e','b5081ebe009d8c5cc3a7a317f20da9ec79c336c3c00360ba07a07cd0ae1e9a9b');
INSERT INTO "ledger_event" VALUES(8,'2026-11-23T09:00:11.000+00:00','Lee Okafor','judge.submit','dcb247d42afae716db9aab47','{"first_acceptable":null,"pair":"09a5a0787220c57b0fa3a55d66a85b2d801ce7b8268285d3cfe7110650d686e7","second_acceptable":null,"swapped":false,"verdict":"second_better"}','b5081ebe009d8c5cc3a7a317f20da9ec79c336c3c00360ba07a07cd0ae1e9a9b','eaaea905e3544c885793ee91266197a3fca24a9ce23ef62175ae00d3be7f37c4');
INSERT INTO "ledger_event" VALUES(9,'2026-11-23T09:00:13.000+00:00','Lee Okafor','judge.submit','d99188736940c0e11640c82d','{"first_acceptable":false,"pair":"206baaf6e8ee5e4019db4dce9e3fea44464221d4b5d70702fd17be3f6c8d16e3","second_acceptable":false,"swapped":false,"verdict":"neither_acceptable"}','eaaea905e3544c885793ee91266197a3fca24a9ce23ef62175ae00d3be7f37c4','eb88d52fd29d0ce2eeb50dd83499c4da2f5d8d81c05eaf4cb76ab287ccba0cbf');
INSERT INTO "ledger_event" VALUES(10,'2026-11-23T09:00:14.000+00:00','Lee Okafor','judge.retract','d99188736940c0e11640c82d','{"pair":"206baaf6e8ee5e4019db4dce9e3fea44464221d4b5d70702fd17be3f6c8d16e3"}','eb88d52fd29d0ce2eeb50dd83499c4da2f5d8d81c05eaf4cb76ab287ccba0cbf','471c9a71fe500373b385d8d16b3a66f579d1dfd247930e8a0e7d01474592c339');
INSERT INTO "ledger_event" VALUES(11,'2026-11-23T09:00:15.000+00:00','lead','dataset.freeze','coding@1','{"content":"8fa6135609f3198eab5e392692908e40e51ec2cfc1837dd88c7b2c9260cfdd8b","judgements":4}','471c9a71fe500373b385d8d16b3a66f579d1dfd247930e8a0e7d01474592c339','c963480581cdc4638e8e9731e11cba2dc7aa8944127fe7279900ce7bbe6b148c');
CREATE TABLE web_session (
	token_sha256 VARCHAR(64) NOT NULL, 
	person VARCHAR(200) NOT NULL, 
	opened_at VARCHAR(40) NOT NULL, 
	expires_at VARCHAR(40) NOT NULL, 
	CONSTRAINT pk_web_session PRIMARY KEY (token_sha256)
);
INSERT INTO "web_session" VALUES('9c312c55f0cb3687a7f66ebeffb70dcca9622af9121e947d1439496916d327b6','Dana Ruiz','2026-11-23T09:00:02.000+00:00','2026-11-23T21:00:02.000+00:00');
CREATE INDEX ix_ledger_event_action ON ledger_event (action);
CREATE INDEX ix_ledger_event_subject ON ledger_event (subject);
CREATE TRIGGER ledger_event_no_update BEFORE UPDATE ON ledger_event BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_event_no_delete BEFORE DELETE ON ledger_event BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE INDEX ix_web_session_person ON web_session (person);
CREATE INDEX ix_label_item_phi_state ON label_item (phi_state);
CREATE INDEX ix_gateway_decision_at ON gateway_decision (at);
CREATE INDEX ix_label_pair_item_id ON label_pair (item_id);
CREATE INDEX ix_label_assignment_pair_id ON label_assignment (pair_id);
CREATE INDEX ix_label_judgement_expert ON label_judgement (expert);
CREATE INDEX ix_label_judgement_pair_id ON label_judgement (pair_id);
COMMIT;
