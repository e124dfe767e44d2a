//! The explorer, checkpoints, and verifying receipts.

words! {
    /// See [`super`].
    Explorer {
        title: "Ledger explorer", "账本浏览器";
        lead: "Everything the consortium has recorded, as it happens. No names of persons, no medical content: those never reach the ledger.", "联盟记录的一切，实时可见。账本上没有个人姓名，也没有医疗内容。";
        overview: "Overview", "概览";
        blocks: "Blocks", "区块";
        transactions: "Transactions", "交易";
        nodes: "Nodes", "节点";
        checkpoint: "Checkpoint", "检查点";
        verify: "Verify a receipt", "验证回执";
        sections: "Sections of the explorer", "浏览器栏目";
        search: "Search the ledger", "搜索账本";
        search_hint: "Height, block hash, transaction id or record number", "高度、区块哈希、交易标识或病历编号";
        search_button: "Search", "搜索";
        nothing_found: "Nothing found", "未找到";
        nothing_found_text: "No block, transaction or record on the ledger has this number. A height is a whole number; hashes and transaction ids have 64 characters, record numbers 32.", "账本上没有对应的区块、交易或病历。高度为整数；哈希与交易标识为 64 个字符，病历编号为 32 个字符。";
        per_second: "Per second", "每秒";
        nodes_answer: "Nodes answering", "在线节点";
        of: "{count} of {all}", "{count} / {all}";
        view: "View", "视图";
        last_block: "Last block", "最新区块";
        latest_blocks: "Latest blocks", "最新区块";
        latest_transactions: "Latest transactions", "最新交易";
        all_blocks: "All blocks", "全部区块";
        all_transactions: "All transactions", "全部交易";
        all_nodes: "All nodes", "全部节点";
        by_kind: "Transactions by kind", "按类型统计的交易";
        range_hour: "1 hour", "1 小时";
        range_day: "24 hours", "24 小时";
        range_week: "7 days", "7 天";
        range_month: "30 days", "30 天";
        range_all: "All", "全部";
        range: "Period", "时间范围";
        no_activity: "No transactions in this period.", "该时段没有交易。";
        kind: "Kind", "类型";
        accepted: "Accepted", "已接受";
        rejected: "Rejected", "已拒绝";
        height: "Height", "高度";
        hash: "Hash", "哈希";
        time: "Time", "时间";
        certified_by: "Certified by", "认证节点";
        empty_block: "empty", "空";
        count_transactions: "{count} transactions", "{count} 笔交易";
        one_transaction: "1 transaction", "1 笔交易";
        count_rejected: "{count} rejected", "{count} 笔被拒绝";
        older: "Older", "较旧";
        newest: "Newest", "最新";
        from: "From", "从";
        until: "Until", "至";
        to_height: "At or below height", "高度不超过";
        full_only: "Only blocks with transactions", "仅含交易的区块";
        any_kind: "Any kind", "所有类型";
        outcome: "Outcome", "结果";
        any_outcome: "Any", "全部";
        show: "Show", "显示";
        no_blocks: "No blocks here", "没有区块";
        no_blocks_text: "No block matches. Widen the period or the heights.", "没有符合条件的区块，请放宽时间或高度范围。";
        no_transactions: "No transactions here", "没有交易";
        no_transactions_text: "No transaction matches. Choose another kind, or look further back.", "没有符合条件的交易，请更换类型或查看更早的区块。";
        block: "Block {height}", "区块 {height}";
        header: "Header", "区块头";
        previous: "Previous block", "前一区块";
        next: "Next block", "后一区块";
        epoch: "Epoch", "任期";
        transaction_root: "Transaction root", "交易根";
        outcome_root: "Outcome root", "结果根";
        state_root: "State root", "状态根";
        history_root: "History root", "历史根";
        size: "Size", "大小";
        bytes: "{count} bytes", "{count} 字节";
        certificate: "Certificate", "认证书";
        certificate_text: "{count} of {all} replicas signed this block's hash after storing it; {quorum} are a quorum. Checked by this page's server, and by your browser for every receipt.", "{all} 个副本中有 {count} 个在存储后对该区块哈希签名；法定数为 {quorum}。服务器已核验，您的浏览器会核验每份回执。";
        genesis_certificate: "The genesis block needs no certificate: block 1 names its hash.", "创世区块无需认证书：区块 1 记有其哈希。";
        replica: "Replica {number}", "副本 {number}";
        signature: "Signature", "签名";
        tree: "Merkle tree of the transactions", "交易默克尔树";
        tree_text: "Each transaction is a leaf; each node is the hash of the two below it; the root is in the header. Change one transaction and the root no longer fits.", "每笔交易是一片叶，每个节点是其下两个节点的哈希，根写在区块头中。任何一笔交易被改动，根就不再吻合。";
        tree_label: "Merkle tree over {count} leaves, root {root}", "{count} 片叶的默克尔树，根为 {root}";
        tree_folded: "{count} leaves", "{count} 片叶";
        no_tree: "A block without transactions has the empty tree's root.", "没有交易的区块使用空树的根。";
        system_events: "Recorded by the system", "系统记录";
        transaction: "Transaction", "交易";
        submitter: "Submitted by", "提交者";
        place: "Place", "位置";
        place_text: "number {place} of {all} in block {height}", "区块 {height} 中第 {place} / {all} 笔";
        valid_until: "Valid until", "有效期至";
        command: "Command", "命令";
        events: "Events", "事件";
        no_events: "It was rejected and changed nothing.", "交易被拒绝，未改变任何状态。";
        proof: "Proof", "证明";
        proof_text: "From the transaction to the root in the certified header: at each step the highlighted hash is computed, its neighbour comes with the proof.", "从交易到已认证区块头中的根：每一步计算高亮的哈希，其相邻哈希由证明给出。";
        proof_label: "Inclusion proof of leaf {index} of {count}", "第 {index} 片叶（共 {count}）的包含证明";
        download: "Download the receipt", "下载回执";
        verified_here: "Verified in your browser", "由您的浏览器验证";
        verifying: "Verifying…", "正在验证…";
        verify_needs_script: "Verification in the page needs JavaScript. The downloaded receipt verifies with `medshare verify receipt` as well.", "页内验证需要 JavaScript。下载的回执也可用 `medshare verify receipt` 验证。";
        try_forged: "Try a forged copy", "试试伪造的副本";
        try_true: "Verify the true one again", "重新验证真实回执";
        holds: "All of it holds", "全部成立";
        fails: "This receipt proves nothing", "该回执不构成证明";
        forged_fails: "Forged copy (one byte changed): refused, as it must be", "伪造副本（改动一个字节）：被拒绝，理应如此";
        step_genesis: "The genesis file is well-formed", "创世文件格式正确";
        step_encoding: "The receipt is written in its one valid form", "回执采用唯一有效的编码";
        step_chain: "Receipt and transaction belong to this genesis file", "回执与交易属于该创世文件";
        step_signature: "The member signed exactly this transaction", "成员签署的正是这笔交易";
        step_outcome: "The outcome is that of this transaction", "结果属于这笔交易";
        step_transaction_proof: "The transaction is in the block", "交易在区块中";
        step_outcome_proof: "The outcome is in the block", "结果在区块中";
        step_epochs: "The replicas were admitted, step by step, from the genesis file on", "副本自创世文件起逐步获准加入";
        step_certificate: "A quorum of these replicas certified the block", "法定数的副本认证了该区块";
        phases: "Way through the phases", "经过的阶段";
        phases_text: "Each replica's own times, from arrival to certificate.", "各副本自身记录的时间，从到达直至认证。";
        phases_gone: "The replicas remember the times of their latest transactions only; those of this one are gone.", "副本只保留最近交易的时间，此笔的已不再保留。";
        phase_received: "waits for a proposal", "等待提案";
        phase_proposed: "prepares", "准备";
        phase_prepared: "executes", "执行";
        phase_executed: "commits", "提交";
        milliseconds: "{count} ms", "{count} 毫秒";
        trace: "Trace", "追踪";
        record: "Record {number}", "病历 {number}";
        record_text: "All transactions on the ledger that name this record. Its content is at the hospital; the ledger holds commitments only.", "账本上涉及该病历的全部交易。病历内容在医院，账本只有承诺值。";
        health: "State", "状态";
        healthy: "Healthy", "正常";
        behind: "{count} blocks behind", "落后 {count} 个区块";
        no_answer: "No answer", "无响应";
        missed: "Missed", "失联";
        silent_at: "Not heard by replica {replicas}", "副本 {replicas} 收不到其消息";
        no_votes_at: "No new votes seen by replica {replicas}", "副本 {replicas} 未见其新投票";
        old_words_at: "Old messages of it played back at replica {replicas}", "副本 {replicas} 收到其旧消息的重放";
        changing_view: "Changing view", "切换视图中";
        primary: "Primary", "主节点";
        last_vote: "Last vote", "最近投票";
        block_link: "block {height}", "区块 {height}";
        never_voted: "none yet", "尚无";
        votes_counted: "Certificates signed", "签署的认证书";
        waiting: "Waiting transactions", "等待中的交易";
        voting_key: "Voting key", "投票公钥";
        key_valid: "Since epoch {epoch}", "自第 {epoch} 任期起";
        validity: "Admitted by the ledger", "由账本准入";
        cluster_text: "{quorum} equal votes decide among {all} replicas; {faulty} may be faulty.", "{all} 个副本中 {quorum} 个相同投票即可决定；最多容忍 {faulty} 个故障。";
        cluster_healthy: "A quorum is in step.", "法定数副本同步。";
        cluster_unhealthy: "No quorum is in step: nothing new is certified until it is.", "未达到同步法定数：恢复前不会有新的认证。";
        checkpoint_lead: "The ledger's history is a log that only grows. This is its newest checkpoint in the C2SP tlog-checkpoint form, signed by a quorum of replicas: keep one, and any later one can be shown to extend it.", "账本历史是一个只增不减的日志。这是其最新检查点，采用 C2SP tlog-checkpoint 格式，由法定数副本签名：保存一份，日后任何检查点都可被证明是它的延续。";
        log_size: "Blocks in the log", "日志中的区块数";
        signed_by: "Signed by", "签名者";
        note: "The signed note", "签名文本";
        verifier_keys: "Verifier keys", "验证公钥";
        consistency: "Has the ledger only grown since?", "此后账本是否只有增加？";
        consistency_text: "Give the size of a checkpoint you kept. The proof shows that the newest log starts with exactly those blocks.", "输入您保存的检查点的大小。证明显示最新日志正以那些区块开头。";
        consistency_size: "Size of the older checkpoint", "较早检查点的大小";
        consistency_button: "Prove it", "给出证明";
        consistency_holds: "The newest log of {second} blocks starts with the same {first} blocks. Its older root, to compare with the one you kept:", "包含 {second} 个区块的最新日志以相同的 {first} 个区块开头。较早的根，请与您保存的对照：";
        consistency_proof: "The proof", "证明";
        consistency_bad: "Enter a whole number, at most the log's size.", "请输入不超过日志大小的整数。";
        endpoint: "For programs", "程序接口";
        verify_lead: "A receipt proves, without us, what became of a transaction. Choose a receipt file and a genesis file: your browser checks every step, and nothing is sent anywhere.", "回执无需我们即可证明一笔交易的结果。选择回执文件和创世文件：由您的浏览器逐步核验，不向任何地方发送数据。";
        choose_receipt: "Receipt file", "回执文件";
        choose_genesis: "Genesis file", "创世文件";
        genesis_hint: "Use the one your organisation keeps. Without one, the file this portal serves is used.", "请使用贵机构保存的文件；未选择时使用本门户提供的文件。";
        verdict_here: "The verdict appears here", "核验结论将显示在此处";
        drop: "Drop files here, or choose them", "将文件拖到此处，或选择文件";
        offline_text: "The same verification is there as one file that works without any server or network. Keep it with the genesis file.", "同样的验证也可做成一个无需服务器、无需网络的文件。请与创世文件一同保存。";
        offline_button: "Download the offline page", "下载离线页面";
        genesis_button: "Download the genesis file", "下载创世文件";
        ago_seconds: "{count} s ago", "{count} 秒前";
        ago_minutes: "{count} min ago", "{count} 分钟前";
        ago_hours: "{count} h ago", "{count} 小时前";
        ago_days: "{count} d ago", "{count} 天前";
        system: "System", "系统";
        membership: "Membership", "成员";
        records: "Records", "病历";
        authorization: "Authorization", "授权";
        settlement: "Settlement", "结算";
        telemetry: "Telemetry", "监测";
        governance: "Governance", "治理";
    }
}

/// A command's or event's name as people read it: `RegisterRecord` becomes "Register record".
pub(crate) fn spoken(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for (place, character) in name.chars().enumerate() {
        if place > 0 && character.is_uppercase() {
            text.push(' ');
            text.extend(character.to_lowercase());
        } else {
            text.push(character);
        }
    }
    text
}

/// The Chinese of a command's name; the name itself where there is none.
pub(crate) fn spoken_chinese(name: &str) -> &str {
    match name {
        "RegisterMember" => "登记成员",
        "EndorseMember" => "背书成员",
        "AffiliateDoctor" => "登记医生隶属",
        "EndAffiliation" => "终止隶属",
        "SuspendMember" => "暂停成员",
        "ReinstateMember" => "恢复成员",
        "RevokeMember" => "撤销成员",
        "RotateKey" => "更换密钥",
        "RegisterRecord" => "登记病历",
        "AmendRecord" => "修订病历",
        "SetCode" => "设置授权码",
        "WithdrawCode" => "撤回授权码",
        "RedeemCode" => "使用授权码",
        "LogAccess" => "记录访问",
        "SetConsent" => "设置同意",
        "OpenEmergency" => "开启紧急访问",
        "ReviewEmergency" => "复核紧急访问",
        "ReportTampering" => "报告篡改",
        "EraseRecord" => "删除病历",
        "CertifyErasure" => "证明删除",
        "ApplyForRecords" => "申请查阅病历",
        "ApproveAsHospital" => "医院批准",
        "RefuseAsHospital" => "医院拒绝",
        "ApproveAsPatient" => "患者批准",
        "RefuseAsPatient" => "患者拒绝",
        "ReleaseKey" => "发放密钥",
        "WithdrawItem" => "撤回申请项",
        "WithdrawGrant" => "终止授权",
        "DisputeRelease" => "对发放提出异议",
        "SettleDispute" => "裁决异议",
        "Deposit" => "存入",
        "Withdraw" => "提现",
        "PublishRules" => "发布报销规则",
        "RegisterCoverage" => "登记保障",
        "SubmitClaim" => "提交理赔",
        "ResolveClaim" => "裁定理赔",
        "PayShare" => "支付自付部分",
        "RegisterDevice" => "登记设备",
        "UnregisterDevice" => "注销设备",
        "ShareWarnings" => "共享预警",
        "EndShare" => "终止共享",
        "AnchorReadings" => "锚定读数",
        "RaiseWarning" => "发出预警",
        "AcknowledgeWarning" => "确认预警",
        "ProposeChange" => "提议变更",
        "VoteOnChange" => "变更表决",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spoken_as_words() {
        assert_eq!(spoken("RegisterRecord"), "Register record");
        assert_eq!(spoken_chinese("RegisterRecord"), "登记病历");
    }
}
